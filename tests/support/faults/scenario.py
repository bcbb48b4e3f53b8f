"""A service under load and under fault, judged by the checker: the frame of every scenario of `tests/faults`."""

import random
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from sqlalchemy import func, select

from core.storage.store import open_store
from jobs.job import ACTIVE, Job, JobError, JobStatus, job_from_row
from jobs.schema.tables import jobs, outbox
from jobs.statements.webhooks.deliveries import open_
from tests.support.faults.callers import Caller, Exchange
from tests.support.faults.faults import kill
from tests.support.faults.promises import Breach, breaches
from tests.support.faults.records import gather
from tests.support.servers.webhook_receiver import WebhookReceiver
from tests.support.service.service import Service, service
from tests.support.wait import until

WORKERS: dict[str, dict[str, str]] = {"one": {}, "two": {}, "bell": {"ATELIER_POLL_SECONDS": "3600"}}
"""The GPU workers and their settings. `bell` looks for a job by itself once an hour: else a bell has woken it."""
CALLERS = 4
SETTINGS = {
    "ATELIER_DEVELOPMENT": "1",
    "ATELIER_ALLOWED_NETWORKS": "127.0.0.0/8",
    "ATELIER_GRACE_SECONDS": "1.5",
    "ATELIER_PURGE_DELAY": "10",
    "ATELIER_BROKER_HEALTH_SECONDS": "1",
    "ATELIER_WEBHOOK_POLL_SECONDS": "0.05",
    "ATELIER_WEBHOOK_TIMEOUT": "2",
    "ATELIER_WEBHOOK_SCHEDULE": ",".join(["0", *["1"] * 60]),
}


class Scenario:
    """`service` with all that it needs, a receiver of its webhooks, and a log of the answers to its callers.

    `name` tells the keys of its load apart from those of another scenario on the same database.
    """

    def __init__(self, service: Service, sink: WebhookReceiver, name: str = "") -> None:
        self.service = service
        self._name = name
        self.sink = sink
        self.log: list[Exchange] = []
        self.caller = Caller(service.url, service.key, self.log)
        self._loads = 0

    def body(self, prompt: str, **fields: Any) -> dict[str, Any]:
        """Return a request for a job of the chaos model whose end is sent to the receiver."""
        return {"model": "chaos", "prompt": prompt, "callback_url": self.sink.url} | fields

    def submit(self, prompt: str, **fields: Any) -> str:
        """Submit one job; its id."""
        exchange = self.caller.submit(self.body(prompt, **fields))
        assert 202 == exchange.status, exchange
        return exchange.job_id

    def ended(self, job_id: str, timeout: float = 60.0) -> Job:
        """The row of a job, once it has ended."""
        return self.service.ended(job_id, timeout)

    def errors(self) -> list[JobError]:
        """What jobs have failed with so far."""
        with self.service.database.begin() as connection:
            rows = connection.execute(select(jobs).where(jobs.c.status == JobStatus.FAILED))
            return [error for row in rows if (error := job_from_row(row).error) is not None]

    def is_over(self, load: list[Future[str]]) -> bool:
        """Whether every job of a load was submitted, and none is active."""
        return all(job.done() for job in load) and not self.unfinished()

    def objects(self) -> list[str]:
        """Keys of all stored objects."""
        return list(open_store(self.service.settings).keys())

    def accepted(self) -> int:
        """How many submits were answered 2xx so far."""
        return sum(exchange.verb == "submit" and exchange.good for exchange in self.log)

    @contextmanager
    def load(self, count: int, *, seconds: float = 0.2, over: float = 0.0) -> Iterator[list[Future[str]]]:
        """Callers that submit `count` jobs of about `seconds` each, under keys, and cancel, delete and repeat some.

        They spread it `over` so many seconds. The ids come in futures; the context ends when the last was answered.
        """
        self._loads += 1
        now = time.monotonic()
        with ThreadPoolExecutor(CALLERS) as threads:
            yield [
                threads.submit(
                    self._one, f"{self._name} load {self._loads}, job {n}".strip(), seconds, now + over * n / count
                )
                for n in range(count)
            ]

    def _one(self, name: str, seconds: float, at: float) -> str:
        until(lambda: time.monotonic() >= at, max(0.0, at - time.monotonic()) + 1, "the job's time")
        caller, dice = self.caller, random.Random(name)
        body = self.body(f"compute={dice.uniform(0.2, 1.8) * seconds:.2f} steps=4 {name}", seed=dice.randrange(1000))
        job_id = caller.insist(body, key=name).job_id
        chance = dice.random()
        if chance < 0.1:
            caller.cancel(job_id)
        elif chance < 0.15:
            caller.delete(job_id)
        elif chance < 0.25:
            caller.submit(body, key=name)
        elif chance < 0.3:
            exchange = caller.submit(body | {"prompt": "another"}, key=name)
            assert exchange.status in (0, 422, 503), exchange
        caller.look(job_id)
        return job_id

    def restart(self, name: str) -> None:
        """Start a GPU worker under its name, with its settings, and do not wait for it."""
        self.service.gpu(name, wait=False, **WORKERS[name])

    def held_by(self, name: str) -> set[tuple[str, int]]:
        """The claims that a worker holds, as id and fence."""
        claims = select(jobs.c.id, jobs.c.fence).where(jobs.c.status == JobStatus.PROCESSING, jobs.c.worker == name)
        with self.service.database.begin() as connection:
            return {(row.id, row.fence) for row in connection.execute(claims)}

    def unrecovered(self, claims: set[tuple[str, int]]) -> set[str]:
        """Those of the claims that are still their worker's."""
        rows = select(jobs.c.id, jobs.c.fence).where(jobs.c.status == JobStatus.PROCESSING)
        with self.service.database.begin() as connection:
            return {row.id for row in connection.execute(rows) if (row.id, row.fence) in claims}

    def kill(self, name: str) -> set[tuple[str, int]]:
        """`kill -9` a worker, the API (`api`) or the CPU worker (`cpu`); the claims that it held."""
        kill(self.service.newest[name])
        return self.held_by(name)

    def unfinished(self) -> int:
        """How much is still under way: jobs that have not ended, ends not delivered, objects of deleted jobs."""
        active = select(func.count()).select_from(jobs).where(jobs.c.status.in_(ACTIVE))
        undelivered = select(func.count()).select_from(outbox).where(open_(outbox))
        purges = select(func.count()).select_from(jobs).where(jobs.c.purge_at < func.now())
        with self.service.database.begin() as connection:
            return sum(connection.scalar(query) or 0 for query in (active, undelivered, purges)) or len(self._strays())

    def _strays(self) -> set[str]:
        """Deleted jobs of which the store holds something."""
        deleted = {exchange.job_id for exchange in self.log if exchange.verb == "delete" and exchange.good}
        return deleted & {key.split("/")[1] for key in self.objects()}

    def verdict(self, timeout: float) -> list[Breach]:
        """Wait until all is done, at most `timeout` seconds, and ask the checker."""
        with suppress(AssertionError):  # what is not done by then, the checker names
            until(lambda: not self.unfinished(), timeout, every=0.1)
        return breaches(gather(self.service.settings, self.service.database, self.log, self.sink.received))


@contextmanager
def scenario(
    folder: Path, *, database_url: str, broker_url: str, workers: Sequence[str] = tuple(WORKERS), **settings: str
) -> Iterator[Scenario]:
    """The API, a CPU worker and GPU workers on these servers, all up."""
    with (
        WebhookReceiver() as sink,
        service(folder, database_url=database_url, broker_url=broker_url, **SETTINGS | settings) as made,
    ):
        begun = Scenario(made, sink)
        for name in workers:
            begun.restart(name)
        made.cpu()
        made.api()
        for name in workers:
            made.up(name)
        yield begun
        begun.caller.close()
