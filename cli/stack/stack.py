"""The whole service on one machine: servers, API, one CPU worker, one GPU worker per GPU."""

import os
import shutil
import socket
import threading
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from atelier_client.models import StoredBytes
from cli.embedded.postgres import EmbeddedPostgres
from cli.embedded.valkey import EmbeddedValkey
from cli.http.client import Client
from cli.http.problems import ApiError, ApiUnavailable
from cli.local.address import Address
from cli.local.data_dir import DataDirectory
from cli.local.scratch import fresh_scratch
from cli.local.start_wait import StartInterrupted
from cli.operator.admin import ensure_key
from cli.stack.process_supervisor import PrintStatus, ProcessSupervisor, stop_all
from cli.stack.services import Command, Service
from cli.stack.worker_gpus import choose_gpus
from core.net.ip_ranges import LOOPBACK
from core.settings import read_settings
from jobs.schema.migrate import migrate
from workers.engine.memory_limits import host_share

READY_SECONDS = 120.0
POLL_SECONDS = 0.1
SLACK_SECONDS = 5.0
OWN_SETTINGS = ("ATELIER_DATABASE_URL", "ATELIER_BROKER_URL", "ATELIER_SECRET_KEY", "ATELIER_SERVER_ID")
"""Settings of the environment that the stack replaces by its own."""


class Stack:
    """A stack: `start` starts it, `client` calls its API, and `stop` ends every process.

    The event `ending` ends a start; `hurry` ends the waits of a stop.

    With `falls_back` it computes on the CPU where torch cannot use the GPUs, and says so. With `opens_loopback`
    URLs of callers may lead to this machine's loopback.
    """

    def __init__(
        self,
        data_directory: DataDirectory,
        address: Address,
        print_status: PrintStatus,
        *,
        falls_back: bool = False,
        opens_loopback: bool = False,
    ) -> None:
        self.data_directory = data_directory
        self.address = address
        self.admin_key = ""
        self.new_key = False
        self.ending = threading.Event()
        self.hurry = threading.Event()
        self._print_status = print_status
        self._falls_back = falls_back
        self._opens_loopback = opens_loopback
        self._postgres = EmbeddedPostgres(data_directory.postgres, interrupted=self.ending)
        self._valkey = EmbeddedValkey(data_directory.valkey, interrupted=self.ending)
        self._api: list[Command] = []
        self._workers: list[Command] = []
        self._supervisor: ProcessSupervisor | None = None
        self._scratch: Path | None = None
        self._grace = SLACK_SECONDS
        self._started_at = datetime.now(UTC)
        self._environment: dict[str, str] = {}

    def start(self) -> None:
        """Start every service and keep them running; the API and the workers may need some more seconds.

        Raises `DataDirectoryBusy`, `DataDirectoryUnusable`, `AddressTaken`, `GpuUnusable` or `ServerFailed`, and
        `ValueError` for a setting that cannot be read; `StartInterrupted` once `ending` is set. Call `stop` then too.
        """
        self._grace = read_settings().grace_seconds + SLACK_SECONDS
        self.data_directory.lock()
        self.address.refuse_taken()
        gpus = choose_gpus(self._print_status, falls_back=self._falls_back, interrupted=self.ending)
        self._print_status("starting PostgreSQL and Valkey")
        self._postgres.start()
        self._valkey.start()
        self._prepare()
        address = ["--host", self.address.host, "--port", str(self.address.port)]
        self._api = [self._command("api", ["api", *address])]
        self._workers = [self._command("worker-cpu", ["worker", "cpu"], **self._metrics(0)), *self._gpu_workers(gpus)]
        workers = f"{len(gpus)} GPU worker(s)" if gpus else "a GPU worker that computes on the CPU"
        self._print_status(f"starting the API, the CPU worker and {workers}")
        for service in (*self._api, *self._workers):
            if self.ending.is_set():
                raise StartInterrupted
            service.start()
        self._supervisor = ProcessSupervisor(
            [self._postgres, self._valkey, *self._api, *self._workers], self._print_status
        )
        self._supervisor.start()

    def await_ready(self) -> bool:
        """Wait until the API answers and every GPU worker is alive; return False after two minutes or once `ending`.

        A worker of an earlier, killed stack seems alive until its lease has expired; it is not counted.
        """
        deadline = time.monotonic() + READY_SECONDS
        gpu_workers = len(self._workers) - 1
        with self.client() as client:
            while not self.ending.is_set() and time.monotonic() < deadline:
                try:
                    servers = client.servers()
                    if sum(server.alive and server.started_at > self._started_at for server in servers) >= gpu_workers:
                        return True
                except ApiUnavailable:
                    pass
                self.ending.wait(POLL_SECONDS)
        return False

    def stop(self) -> None:
        """Stop the workers first, then the API, then the servers; `hurry` ends every wait."""
        self.ending.set()  # a server that is being restarted is not waited for
        if self._supervisor is not None:
            self._supervisor.stop()
        in_order: tuple[list[Service], ...] = ([*self._workers], [*self._api], [self._valkey], [self._postgres])
        for services in in_order:
            for name in stop_all(services, self._grace, self.hurry):
                self._print_status(f"{name} did not end in time and was killed")
        self._postgres.close()
        if self._scratch is not None:
            shutil.rmtree(self._scratch, ignore_errors=True)
        self.data_directory.unlock()

    def stored(self) -> StoredBytes | None:
        """Return what the service stores; None where the API does not say."""
        try:
            with self.client() as client:
                return client.server_list().stored
        except ApiError:
            return None

    def client(self) -> Client:
        """Return a client with the admin key."""
        return Client(self.address.local_url, self.admin_key)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _prepare(self) -> None:
        """Prepare the environment of the services, the schema and the admin key."""
        self.data_directory.ensure_secret_key()
        if not os.environ.get("ATELIER_SCRATCH_DIR"):
            self._scratch = fresh_scratch(self.data_directory.folder)
        own_settings = {
            "ATELIER_DATABASE_URL": self._postgres.url,
            "ATELIER_BROKER_URL": self._valkey.url,
            "ATELIER_SECRET_KEY_FILE": str(self.data_directory.secret_key),
            "ATELIER_STORAGE_URL": os.environ.get("ATELIER_STORAGE_URL", self.data_directory.objects.as_uri()),
            "ATELIER_COMPILE_CACHE": os.environ.get(
                "ATELIER_COMPILE_CACHE", str(self.data_directory.folder / "compiled")
            ),
            "ATELIER_PUBLIC_URL": os.environ.get("ATELIER_PUBLIC_URL", self.address.url),
        }
        self._environment = {name: value for name, value in os.environ.items() if _is_passed_on(name)} | own_settings
        if self._opens_loopback:
            self._environment |= loopback_opened(os.environ)
        if self._scratch is not None:
            self._environment["ATELIER_SCRATCH_DIR"] = str(self._scratch)
        migrate(self._postgres.url)
        self.admin_key, self.new_key = self.data_directory.ensure_admin_key()
        ensure_key(read_settings(self._environment), self.admin_key)
        self.data_directory.write_settings(own_settings | {"ATELIER_URL": self.address.local_url})

    def _gpu_workers(self, gpus: list[str]) -> list[Command]:
        """Return one worker per GPU, which share the host memory, or one that computes on the CPU.

        Each is given its device by name: a worker whose GPU is gone then ends, rather than to go on on the CPU.
        """
        if not gpus:
            arguments = ["worker", "gpu", "--server-id", "local"]
            return [self._command("worker-local", arguments, ATELIER_DEVICE="cpu", **self._metrics(1))]
        host, share = socket.gethostname(), os.environ.get("ATELIER_HOST_BUDGET", str(host_share(len(gpus))))
        return [
            self._command(
                f"worker-gpu{n}",
                ["worker", "gpu", "--server-id", f"{host}-gpu{n}"],
                CUDA_VISIBLE_DEVICES=gpu,
                ATELIER_DEVICE="cuda:0",
                ATELIER_HOST_BUDGET=share,
                **self._metrics(n + 1),
            )
            for n, gpu in enumerate(gpus)
        ]

    def _metrics(self, number: int) -> dict[str, str]:
        """Return the metrics port of a worker, one per worker of this machine, where metrics are enabled."""
        first = read_settings(self._environment).metrics_port
        return {"ATELIER_METRICS_PORT": str(first + number)} if first else {}

    def _command(self, name: str, arguments: list[str], **extra: str) -> Command:
        return Command(name, arguments, self._environment | extra, self.data_directory.logs / f"{name}.log")


def loopback_opened(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the settings by which URLs may lead to loopback, beside the networks that are open already."""
    networks = [environment.get("ATELIER_ALLOWED_NETWORKS", ""), *map(str, LOOPBACK)]
    return {"ATELIER_DEVELOPMENT": "1", "ATELIER_ALLOWED_NETWORKS": ",".join(filter(None, networks))}


def _is_passed_on(name: str) -> bool:
    return name.removesuffix("_FILE") not in OWN_SETTINGS
