"""What a job costs the database, in transactions of all processes together; `benchmarks/cost.py` has milliseconds.

Intervals are the defaults. What an idle service may do in the time that the jobs took is taken off.
"""

import time
from collections.abc import Callable, Iterator

import psycopg
import pytest
from redis import Redis

from core.settings import Settings
from tests.support.servers.databases import Databases
from tests.support.servers.webhook_receiver import WebhookReceiver
from tests.support.service.published import published
from tests.support.service.service import QUICK, Service, service
from tests.support.wait import until

JOBS = 20
IDLE_RATE = 2.0
"""Transactions a second of an idle service, at most."""


class Meter:
    """Counts what ended in one database, from a session of another one."""

    def __init__(self, name: str, session: "psycopg.Connection[tuple[int]]") -> None:
        self._name = name
        self._session = session

    def each(self, job: Callable[[], object]) -> int:
        """The transactions of one of twenty jobs; a few of the service's own more or less do not matter."""
        return round(self.cost(lambda: [job() for _ in range(JOBS)]) / JOBS)

    def cost(self, work: Callable[[], object]) -> float:
        """The transactions of `work`, without what an idle service may have done meanwhile."""
        before, began = self._count(), time.monotonic()
        work()
        seconds = time.monotonic() - began
        return self._count() - before - IDLE_RATE * seconds

    def _count(self) -> int:
        """A backend reports what it has done once it was idle for ten seconds, and when it ends: so each is ended.

        The begin of a session counts as a transaction too, and so does its question for the server's process
        (`core.database`); neither is one of the work.
        """
        ending = "SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity WHERE datname = %s"
        self._session.execute(ending, [self._name])
        count = "SELECT xact_commit + xact_rollback - 2 * sessions FROM pg_stat_database WHERE datname = %s"
        row = self._session.execute(count, [self._name]).fetchone()
        assert row is not None
        return row[0]


@pytest.fixture(scope="module")
def usual(postgres: Databases, valkey: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """API, CPU worker and GPU worker with the default intervals, after a job of each kind."""
    defaults = {f"ATELIER_{name.upper()}": str(value) for name, value in DEFAULTS.items()}
    with (
        postgres.fresh() as url,
        service(
            tmp_path_factory.mktemp("cost"),
            database_url=url,
            broker_url=valkey,
            ATELIER_DEVELOPMENT="1",
            ATELIER_ALLOWED_NETWORKS="127.0.0.0/8",
            **defaults,
        ) as made,
    ):
        made.api()
        made.cpu()
        made.gpu("one")
        waited_for(made)
        yield made


DEFAULTS = {name: getattr(Settings(), name) for name in (setting.removeprefix("ATELIER_").lower() for setting in QUICK)}


@pytest.fixture(scope="module")
def meter(usual: Service, postgres: Databases) -> Iterator[Meter]:
    name = usual.database.url.database
    assert name is not None
    with postgres.empty() as elsewhere, psycopg.connect(elsewhere, autocommit=True) as session:
        made = Meter(name, session)
        # A CPU worker that has just started does once what it later does by the minute.
        until(lambda: made.cost(lambda: pause(2.0)) <= 0, timeout=60.0, what="the service to be idle")
        yield made


def pause(seconds: float) -> None:
    """Let the service alone for a while."""
    until_then = time.monotonic() + seconds
    until(lambda: time.monotonic() > until_then, timeout=2 * seconds, every=0.5)


def plain(service: Service) -> None:
    """A job whose client does not ask for it; its end is read in the stream of events."""
    job_id = service.submit("null=1")
    with Redis.from_url(service.settings.broker_url) as broker:
        until(lambda: any(event.status.terminal for event in published(broker, job_id)), what="the end")


def waited_for(service: Service, **fields: str) -> None:
    body = {"prompt": "null=1", "model": "chaos"} | fields
    answer = service.client.post("/generate/image/v1?wait=30", json=body)
    assert "completed" == answer.json()["status"]


def test_a_plain_job_costs_four_transactions(usual: Service, meter: Meter) -> None:
    assert meter.each(lambda: plain(usual)) <= 4


@pytest.mark.long
def test_a_job_that_is_waited_for_costs_six(usual: Service, meter: Meter) -> None:
    assert meter.each(lambda: waited_for(usual)) <= 6


@pytest.mark.long
def test_a_job_with_wait_and_webhook_costs_eight(usual: Service, meter: Meter) -> None:
    with WebhookReceiver() as sink:

        def job() -> None:
            before = len(sink.received)
            waited_for(usual, callback_url=sink.url)
            until(lambda: len(sink.received) > before, what="the webhook")

        assert meter.each(job) <= 8


@pytest.mark.long
def test_an_idle_service_does_two_transactions_a_second(usual: Service, meter: Meter) -> None:
    assert meter.cost(lambda: pause(30.0)) <= 0
