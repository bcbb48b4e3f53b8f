"""Ratio 11: what a job costs the database, from `pg_stat_database` and PostgreSQL's processor time.

The processes are those of `atelier up`: API, CPU worker and one GPU worker, with their default intervals. What they do
while no job is there is measured first. Then jobs of three steps follow each other, and the share of an idle service in
that time is taken off:

- *plain*: the client does not ask for its state;
- *wait*: `?wait` holds the request until the job has ended;
- *webhook*: the same, and a receiver that is called.

The backends report their counters when they were idle for ten seconds, so every window ends with a pause.
"""

import secrets
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import msgspec
import psycopg
import redis

from benchmarks.latency import CATALOG
from benchmarks.report import Figure, Report
from benchmarks.running.database_load import Load, load
from benchmarks.running.receiver import Receiver
from benchmarks.running.stack import Running, cpu_worker, running
from core.broker.clients import broker_client
from jobs.events import FIELD, STREAM, decode_event

TITLE = "Ratio 11: what a job costs the database"
SETTINGS = {
    "ATELIER_CATALOG": str(CATALOG),
    "PYTHONPATH": str(CATALOG.parents[2]),
    "ATELIER_ALLOWED_NETWORKS": "127.0.0.0/8",
    "ATELIER_DEVELOPMENT": "true",
}
BODY = {"prompt": "steps=3 compute=0.05", "model": "chaos"}
ROUTE = "/generate/image/v1"
REPORTED_SECONDS = 11.0
"""After so long without a statement a backend has reported what it did."""
END_SECONDS = 60.0


class Window(msgspec.Struct, frozen=True):
    """What the database did in a time, in seconds."""

    seconds: float
    load: Load


def run(*, quick: bool = False) -> Report:
    """Measure on real PostgreSQL, Valkey and processes; nothing else is asked of the service."""
    idle_seconds, count = (15.0, 20) if quick else (60.0, 100)
    with ExitStack() as stack:
        service = stack.enter_context(running(SETTINGS))
        stack.enter_context(cpu_worker(service))
        receiver = stack.enter_context(Receiver())
        database = stack.enter_context(psycopg.connect(service.settings.database_url, autocommit=True))
        jobs = Jobs(service, receiver)
        for job in jobs.kinds.values():  # the model is loaded, every connection open, every plan made
            job()
        time.sleep(REPORTED_SECONDS)
        idle = _window(database, lambda: time.sleep(idle_seconds))
        figures = _idle_figures(idle)
        for kind, job in jobs.kinds.items():
            figures += _job_figures(kind, _window(database, job, count), count, idle)
    return Report(name="cost", title=TITLE, figures=figures)


class Jobs:
    """Jobs of each kind, one at a time; each is done when its last effect is seen."""

    def __init__(self, service: Running, receiver: Receiver) -> None:
        self._client = service.client
        self._receiver = receiver
        self._events = broker_client(msgspec.structs.replace(service.settings, broker_timeout=END_SECONDS))
        self.kinds: dict[str, Callable[[], None]] = {
            "plain": self._plain,
            "with ?wait": self._waited_for,
            "with ?wait and a webhook": self._with_webhook,
        }

    def _plain(self) -> None:
        """Submit, and read of the end in the stream of events, which costs the database nothing."""
        last = _last_entry(self._events)
        job_id = self._client.post(ROUTE, json=BODY).raise_for_status().json()["job_id"]
        while True:
            found: Any = self._events.xread({STREAM: last}, block=int(1000 * END_SECONDS / 2))
            assert found, f"{job_id} did not end"
            for entry, fields in found[0][1]:
                last = entry
                event = decode_event(fields[FIELD])
                if event.job_id == job_id and event.status.terminal:
                    return

    def _waited_for(self, **fields: str) -> None:
        answer = self._client.post(ROUTE, params={"wait": 60}, json=BODY | fields)
        status = answer.raise_for_status().json()
        assert status["status"] == "completed", status

    def _with_webhook(self) -> None:
        path = f"/{secrets.token_hex(8)}"
        self._waited_for(callback_url=self._receiver.url + path)
        self._receiver.await_call(path, END_SECONDS)


def _last_entry(client: "redis.Redis") -> Any:
    entries: Any = client.xrevrange(STREAM, count=1)
    return entries[0][0] if entries else "0"


def _window(database: psycopg.Connection[Any], work: Callable[[], None], times: int = 1) -> Window:
    """Do `work`, and return what the database did meanwhile."""
    began, before = time.monotonic(), load(database)
    for _ in range(times):
        work()
    time.sleep(REPORTED_SECONDS)
    done = load(database).since(before)
    return Window(time.monotonic() - began, msgspec.structs.replace(done, transactions=done.transactions - 1))


def _idle_figures(idle: Window) -> list[Figure]:
    return [
        Figure("idle `atelier up`: transactions", idle.load.transactions / idle.seconds, "/s", "≤ 2"),
        Figure("idle `atelier up`: PostgreSQL's processor time", 1000 * idle.load.cpu / idle.seconds, "ms/s"),
    ]


def _job_figures(kind: str, window: Window, count: int, idle: Window) -> list[Figure]:
    most = {"plain": "≤ 4", "with ?wait": "≤ 6"}.get(kind, "≤ 8")
    share = window.seconds / idle.seconds
    transactions = (window.load.transactions - share * idle.load.transactions) / count
    milliseconds = 1000 * (window.load.cpu - share * idle.load.cpu) / count
    return [
        Figure(f"a job, {kind}: transactions", transactions, "", most),
        Figure(f"a job, {kind}: PostgreSQL's processor time", milliseconds, "ms", "≤ 5"),
    ]
