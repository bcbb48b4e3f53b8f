"""A service of real processes for one test: API, GPU workers and CPU workers, each to be killed as the test likes."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import Engine

from core.database import sync_engine
from core.ids import new_id
from core.processes import Process, spawn
from core.settings import Settings, read_settings
from core.signing import key_digest, new_key
from jobs.job import Job, job_from_row
from jobs.statements import api_keys, servers
from jobs.statements.queue import tenant_jobs
from pipelines.catalog.backends import REMOTE
from pipelines.catalog.loader import load_catalog
from tests.support.paths import ROOT
from tests.support.ports import free_port
from tests.support.service.api_server import NO_TLS
from tests.support.service.fork_server import MODELS, PROCESSES, fork_server
from tests.support.wait import until

Spawn = Callable[..., Process]
"""`core.processes.spawn`, or one that takes its arguments."""
CHAOS = ROOT / "tests" / "support" / "models.toml"
CHAOS_FAMILY = "tests.support.faults.chaos:Chaos"
QUICK = {
    "ATELIER_LEASE_SECONDS": "3",
    "ATELIER_RENEW_SECONDS": "0.5",
    "ATELIER_POLL_SECONDS": "0.5",
    "ATELIER_SERVER_LEASE_SECONDS": "2",
    "ATELIER_TAKEOVER_SECONDS": "20",
    "ATELIER_GRACE_SECONDS": "3",
    "ATELIER_RETRY_BACKOFF": "0.1",
    "ATELIER_BREAKER_SECONDS": "0.2",
    "ATELIER_UPKEEP_SECONDS": "1",
    "ATELIER_REREAD_SECONDS": "0.5",
    "ATELIER_WEBHOOK_POLL_SECONDS": "0.5",
    "ATELIER_WEBHOOK_BREAKER_SECONDS": "0.5",
    "ATELIER_UPLOAD_RETRY_SECONDS": "5",
}
"""Every interval shortened, so that a fault is over in seconds."""


class Service:
    """Starts processes with one environment and ends those that are left."""

    root = ROOT
    """The code that they run."""

    def __init__(self, folder: Path, settings: dict[str, str]) -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.folder = folder
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("ATELIER_")},
            "ATELIER_STORAGE_URL": f"file://{folder}/objects",
            "ATELIER_PUBLIC_URL": self.url,
            "ATELIER_SECRET_KEY": "a secret of the tests of 32 bytes",
            "ATELIER_CATALOG": str(CHAOS),
            "ATELIER_CPU_THREADS": "1",
            "PYTHONPATH": str(ROOT),
            **QUICK,
            **settings,
        }
        self.settings: Settings = read_settings(self.environment)
        self.database: Engine = sync_engine(self.settings)
        self.processes: list[subprocess.Popen[bytes]] = []
        self.newest: dict[str, subprocess.Popen[bytes]] = {}
        """The process that was started last under each name: `api`, `cpu`, or that of a GPU worker."""
        self._before: dict[str, int] = {}
        self.tenant, self.key = self._make_key("tests", [api_keys.ADMIN])
        self.client = httpx.Client(base_url=self.url, headers={"X-API-Key": self.key}, timeout=30, verify=NO_TLS)

    def api(self) -> subprocess.Popen[bytes]:
        """Start the API and wait until it is live."""
        return self._start_api("api", self.url)

    def restart_api(self) -> None:
        """End the API as it stands, and start it again."""
        process = self.newest["api"]
        process.kill()
        process.wait()
        self.api()

    def another_api(self) -> str:
        """Start one more API process and wait until it is live; returns its URL."""
        port = free_port()
        self._start_api(f"api-{port}", url := f"http://127.0.0.1:{port}")
        return url

    def gpu(
        self, server_id: str, *, wait: bool = True, dedicated: bool = False, **settings: str
    ) -> subprocess.Popen[bytes]:
        """Start a GPU worker under this name and, unless `wait` is false, wait until it is registered."""
        self._before[server_id] = self._incarnation(server_id)
        program = ["-m", "cli.main", "worker", "gpu", *(["--dedicated"] if dedicated else [])]
        process = self._start(server_id, program, ATELIER_SERVER_ID=server_id, **settings)
        if wait:
            self.up(server_id)
        return process

    def up(self, server_id: str, timeout: float = 60) -> None:
        """Wait until the GPU worker that was started last under this name is registered."""
        process = self.newest[server_id]

        def registered() -> bool:
            assert process.poll() is None, self.log(server_id)
            return self.is_up(server_id)

        until(registered, timeout, f"the server {server_id}")

    def is_up(self, server_id: str) -> bool:
        """Whether the GPU worker that was started last under this name has registered, and was not killed since."""
        return self.newest[server_id].poll() is None and self._incarnation(server_id) > self._before[server_id]

    def cpu(self, **settings: str) -> subprocess.Popen[bytes]:
        """Start a CPU worker."""
        return self._start("cpu", ["-m", "workers.cpu.main"], **settings)

    @contextmanager
    def caller(self, name: str) -> Iterator[httpx.Client]:
        """A client of another tenant."""
        headers = {"X-API-Key": self._make_key(name, [])[1]}
        with httpx.Client(base_url=self.url, headers=headers, timeout=30, verify=NO_TLS) as client:
            yield client

    def submit(self, prompt: str, **fields: Any) -> str:
        """Submit a job on the chaos model; returns its id."""
        answer = self.client.post("/generate/image/v1", json={"prompt": prompt, "model": "chaos", **fields})
        assert 202 == answer.status_code, answer.text
        return str(answer.json()["job_id"])

    def job(self, job_id: str) -> Job:
        """The row of a job."""
        with self.database.begin() as connection:
            return job_from_row(connection.execute(tenant_jobs.by_id(job_id)).one())

    def ended(self, job_id: str, timeout: float = 30) -> Job:
        """The row of a job, once it has ended."""
        return until(lambda: _terminal(self.job(job_id)), timeout, f"the end of {job_id}")

    def running(self, job_id: str, timeout: float = 15) -> Job:
        """The row of a job, once its pipeline reports steps."""
        return until(
            lambda: job if (job := self.job(job_id)).stage == "step" else None, timeout, f"{job_id} to be computing"
        )

    def objects(self, job_id: str) -> list[str]:
        """Keys of every stored object of a job."""
        root = self.folder / "objects"
        return sorted(str(path.relative_to(root)) for path in root.glob(f"*/{job_id}/*/*"))

    def log(self, name: str) -> str:
        """What a process has printed."""
        return (self.folder / f"{name}.log").read_text(errors="replace")

    def close(self) -> None:
        """End every process, at once."""
        self.client.close()
        for process in self.processes:
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)
                process.kill()
            process.wait()
        self.database.dispose()

    def _start_api(self, name: str, url: str) -> subprocess.Popen[bytes]:
        port = url.rpartition(":")[2]
        process = self._start(name, ["-c", f"from api.serve import main; main('127.0.0.1', {port})"])

        def live() -> bool:
            assert process.poll() is None, self.log(name)
            try:
                return self.client.get(f"{url}/health/live").status_code == 200
            except httpx.TransportError:
                return False

        until(live, 60, "the API")
        return process

    def _start(self, name: str, arguments: list[str], **settings: str) -> subprocess.Popen[bytes]:
        environment = self.environment | settings
        start = self._starter(environment)
        with (self.folder / f"{name}.log").open("ab") as log:
            process = start(
                [sys.executable, *arguments],
                env=environment,
                name=name,
                cwd=self.root,
                stdout=log,
                stderr=log,
            )
        self.processes.append(process)
        self.newest[name] = process
        return process

    def _starter(self, environment: Mapping[str, str]) -> Spawn:
        if "LD_PRELOAD" in environment:  # it names a library that only a new program loads
            return spawn
        return fork_server(PROCESSES if _is_chaos(environment["ATELIER_CATALOG"]) else MODELS).spawn

    def _incarnation(self, server_id: str) -> int:
        with self.database.begin() as connection:
            rows = connection.execute(servers.fleet()).all()
        return next((row.incarnation for row in rows if row.server_id == server_id), 0)

    def _make_key(self, name: str, scopes: list[str]) -> tuple[str, str]:
        key = new_key()
        with self.database.begin() as connection:
            tenant = connection.execute(api_keys.ensure_tenant(name)).scalar_one()
            digest = key_digest(self.settings.secret_key, key)
            connection.execute(api_keys.add_key(new_id("key"), tenant, name=name, digest=digest, scopes=scopes))
        return tenant, key


@contextmanager
def service(folder: Path, *, database_url: str, broker_url: str, **settings: str) -> Iterator[Service]:
    """A service on these servers; its processes are started by the test and end with it."""
    made = Service(folder, {"ATELIER_DATABASE_URL": database_url, "ATELIER_BROKER_URL": broker_url, **settings})
    try:
        yield made
    finally:
        made.close()


@contextmanager
def paused(service: Service) -> Iterator[None]:
    """No job of the service's own tenant starts until the context ends."""
    service.client.post("/jobs/v1/pause").raise_for_status()
    try:
        yield
    finally:
        service.client.post("/jobs/v1/resume").raise_for_status()


def _is_chaos(catalog: str) -> bool:
    """Whether a catalog has no family that imports the libraries of models."""
    return {spec.family for spec in load_catalog(catalog).models} <= {CHAOS_FAMILY, REMOTE}


def _terminal(job: Job) -> Job | None:
    return job if job.status.terminal else None
