"""Random faults, one after the other, of a seed that repeats them in their order."""

import os
import random
import signal
import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

import psycopg
from redis import Redis

from cli.embedded.postgres import EmbeddedPostgres
from cli.embedded.valkey import EmbeddedValkey
from core.database import is_unreachable
from tests.support.faults.faults import engine_of, filled, frozen, kill
from tests.support.faults.scenario import WORKERS, Scenario
from tests.support.servers.proxy import Proxy
from tests.support.wait import until

STOP_SECONDS = 120.0
"""How long a process may take to end after SIGTERM, and to start, while everything else fails too."""


class FaultRunner:
    """Does one of `faults` after the other until `over`; two runners may be at work at once."""

    def __init__(self, seed: str, faults: Sequence[Callable[["FaultRunner"], None]], over: threading.Event) -> None:
        self.dice = random.Random(seed)
        self.did: list[str] = []
        """Names of the faults so far."""
        self._faults = faults
        self._over = over

    def work(self) -> None:
        """Until the storm is over."""
        while not self._over.is_set():
            fault = self.dice.choice(self._faults)
            self.did.append(fault.__name__)
            fault(self)
            self.last(0, 2)

    def last(self, shortest: float, longest: float) -> None:
        """Let what there is last for a while; less when the storm is over."""
        self._over.wait(self.dice.uniform(shortest, longest))


class Processes:
    """Faults of the API, the CPU worker, the GPU workers and their engines."""

    def __init__(self, run: Scenario) -> None:
        self._run = run
        self._service = run.service
        self.faults = (
            *(self.kill_worker, self.freeze_worker, self.terminate_worker, self.kill_engine),
            *(self.kill_api, self.freeze_api, self.kill_cpu, self.freeze_cpu),
        )

    def kill_worker(self, runner: FaultRunner) -> None:
        name = runner.dice.choice(list(WORKERS))
        kill(self._service.newest[name])
        runner.last(0, 3)
        self._start(name)

    def terminate_worker(self, runner: FaultRunner) -> None:
        name = runner.dice.choice(list(WORKERS))
        self._service.newest[name].terminate()
        status = self._service.newest[name].wait(STOP_SECONDS)
        # One that has just begun to start does not know the signal yet.
        assert status in (0, -signal.SIGTERM), f"{name} ended with {status}:\n{self._service.log(name)[-5000:]}"
        self._start(name)

    def freeze_worker(self, runner: FaultRunner) -> None:
        with frozen(self._service.newest[runner.dice.choice(list(WORKERS))].pid):
            runner.last(1, 8)

    def kill_engine(self, runner: FaultRunner) -> None:
        engine = engine_of(self._service.newest[runner.dice.choice(list(WORKERS))].pid)
        if engine is not None:
            os.kill(engine, signal.SIGKILL)

    def kill_api(self, runner: FaultRunner) -> None:
        kill(self._service.newest["api"])
        runner.last(0, 2)
        self._service.api()

    def freeze_api(self, runner: FaultRunner) -> None:
        with frozen(self._service.newest["api"].pid):
            runner.last(1, 4)

    def kill_cpu(self, runner: FaultRunner) -> None:
        kill(self._service.newest["cpu"])
        runner.last(0, 3)
        self._service.cpu()

    def freeze_cpu(self, runner: FaultRunner) -> None:
        with frozen(self._service.newest["cpu"].pid):
            runner.last(1, 8)

    def _start(self, name: str) -> None:
        def started() -> bool:
            try:
                self._run.restart(name)
            except Exception as error:
                if not is_unreachable(error):
                    raise
                return False
            return True

        until(started, STOP_SECONDS, "the database, to start a worker", every=0.5)


class Servers:
    """Faults of PostgreSQL, Valkey, the way to it, and the disk with the objects."""

    def __init__(
        self, postgres: EmbeddedPostgres, broker: EmbeddedValkey, network: Proxy, disk: Path, small: bool
    ) -> None:
        self._postgres, self._broker, self._network, self._disk = postgres, broker, network, disk
        self.faults = (
            *(self.kill_postgres, self.end_sessions, self.kill_broker, self.flush_broker),
            *(self.half_open, self.cut, self.delay, self.hide_store),
            *([self.fill_disk] if small else []),
        )

    def kill_postgres(self, runner: FaultRunner) -> None:
        kill(self._postgres.process)
        runner.last(0, 4)
        self._postgres.start()

    def end_sessions(self, runner: FaultRunner) -> None:
        with psycopg.connect(self._postgres.url, autocommit=True) as connection:
            connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")

    def kill_broker(self, runner: FaultRunner) -> None:
        kill(self._broker.process)
        runner.last(0, 5)
        self._broker.start()

    def flush_broker(self, runner: FaultRunner) -> None:
        with Redis.from_url(self._broker.url) as client:
            client.flushall()

    def half_open(self, runner: FaultRunner) -> None:
        self._network.drop()
        runner.last(1, 6)
        self._network.heal()

    def cut(self, runner: FaultRunner) -> None:
        self._network.cut()

    def delay(self, runner: FaultRunner) -> None:
        self._network.delay = runner.dice.uniform(0, 0.3)
        runner.last(1, 5)
        self._network.delay = 0.0

    def fill_disk(self, runner: FaultRunner) -> None:
        with filled(self._disk):
            runner.last(0, 2)

    def hide_store(self, runner: FaultRunner) -> None:
        """A file where the store's folder should be."""
        objects, aside = self._disk / "objects", self._disk / "aside"
        objects.mkdir(exist_ok=True)
        with ExitStack() as back:
            objects.rename(aside)
            back.callback(aside.rename, objects)
            objects.write_bytes(b"")
            back.callback(objects.unlink)
            runner.last(0, 4)
