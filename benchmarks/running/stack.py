"""A running service for a benchmark: real PostgreSQL, real Valkey, the API and one GPU worker on the CPU.

PostgreSQL runs without fsync, so that no figure is the disk's.
"""

import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import msgspec
import psycopg

from cli.embedded.postgres import EmbeddedPostgres
from cli.embedded.valkey import EmbeddedValkey
from core.database import sync_engine
from core.ids import new_id
from core.processes import spawn, stop
from core.settings import Settings, read_settings
from core.signing import key_digest, new_key
from jobs.schema.migrate import migrate
from jobs.statements.api_keys import add_key, ensure_tenant

START_SECONDS = 120.0
CLI = "cli.main"


class Running(msgspec.Struct, frozen=True):
    """Where the service is: a client with a key, its settings, the environment of its processes, that of the API."""

    client: httpx.Client
    settings: Settings
    environment: Mapping[str, str]
    api_pid: int


@contextmanager
def running(settings: Mapping[str, str], *, gpu: bool = True) -> Iterator[Running]:
    """Start everything with these further `ATELIER_*` settings, without a worker unless `gpu`, and stop it again."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="atelier-bench-")))
        postgres = stack.enter_context(EmbeddedPostgres(folder / "pg", durable=False))
        valkey = stack.enter_context(EmbeddedValkey(folder / "valkey"))
        port = free_port()
        environment = {
            **os.environ,
            "ATELIER_DATABASE_URL": postgres.url,
            "ATELIER_BROKER_URL": valkey.url,
            "ATELIER_STORAGE_URL": f"file://{folder}/objects",
            "ATELIER_PUBLIC_URL": f"http://127.0.0.1:{port}",
            "ATELIER_SECRET_KEY": secrets.token_hex(32),
            "ATELIER_LOG_LEVEL": "WARNING",
            **settings,
        }
        known = read_settings(environment)
        _keep_commit_times(postgres)
        migrate(known.database_url)
        api = stack.enter_context(part(environment, CLI, "api", "--host", "127.0.0.1", "--port", str(port)))
        client = httpx.Client(
            base_url=f"http://127.0.0.1:{port}",
            headers={"X-API-Key": make_key(known, "bench")},
            timeout=120,
            limits=httpx.Limits(max_connections=200),
        )
        stack.enter_context(client)
        service = Running(client, known, environment, api.pid)
        await_answer(client, "/health/ready")
        if gpu:
            stack.enter_context(gpu_worker(service, "bench"))
        yield service


@contextmanager
def gpu_worker(service: Running, server_id: str) -> Iterator[None]:
    """A GPU worker of the service, from its registration on."""
    with part(service.environment, CLI, "worker", "gpu", "--server-id", server_id):
        await_answer(service.client, "/servers/v1", lambda answer: _has(answer.json()["servers"], server_id))
        yield


@contextmanager
def cpu_worker(service: Running) -> Iterator[None]:
    """A CPU worker of the service."""
    with part(service.environment, CLI, "worker", "cpu"):
        yield


@contextmanager
def part(environment: Mapping[str, str], module: str, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process beside the service, which runs a module; its own children end with it."""
    process = spawn([sys.executable, "-m", module, *arguments], env=environment, name=module)
    try:
        yield process
    finally:
        stop(process, 10.0)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def _keep_commit_times(postgres: EmbeddedPostgres) -> None:
    """Have PostgreSQL remember when each transaction was committed."""
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        connection.execute("ALTER SYSTEM SET track_commit_timestamp = on")
    postgres.stop()
    postgres.start()


def make_key(settings: Settings, name: str) -> str:
    """Return a new key of the tenant of this name."""
    key = new_key()
    engine = sync_engine(settings)
    with engine.begin() as connection:
        tenant = connection.execute(ensure_tenant(name)).scalar_one()
        connection.execute(add_key(new_id("key"), tenant, name=name, digest=key_digest(settings.secret_key, key)))
    engine.dispose()
    return key


def await_answer(
    client: httpx.Client, path: str, ready: Callable[[httpx.Response], bool] = lambda answer: True
) -> None:
    """Wait until the answer of a path is 200 and `ready`."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        try:
            answer = client.get(path)
            if answer.status_code == 200 and ready(answer):
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    raise TimeoutError(f"GET {path} was not as expected after {START_SECONDS:g} s")


def _has(servers: list[dict[str, Any]], server_id: str) -> bool:
    return any(server["alive"] for server in servers if server["server_id"] == server_id)


def free_port() -> int:
    """A port of this machine that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
