"""An upgrade under load: processes of the release before and of this one on one database, as docs/operations.md has it.

The release before runs its own code on its own schema, has jobs in every state, and goes on while `atelier migrate`
of this code runs and while this code's processes start beside it. Then it is stopped.
"""

import os
import signal
import subprocess
import sys
import threading
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import msgspec
import psycopg
import pytest
from standardwebhooks import Webhook

from tests.support.faults.callers import Exchange
from tests.support.faults.faults import engine_of, kill
from tests.support.faults.scenario import SETTINGS, Scenario
from tests.support.paths import ROOT
from tests.support.servers.media_server import MediaServer, png
from tests.support.servers.webhook_receiver import Reply, WebhookReceiver
from tests.support.service.release_before import SCHEMA, ReleaseBefore, Unavailable, libraries, unpack
from tests.support.service.service import Service
from tests.support.service.sse import events
from tests.support.wait import until

LONG = "compute=900 steps=9000"
"""A job that runs until it is cancelled."""
NO_POLLS = {"ATELIER_POLL_SECONDS": "3600"}
"""Of a worker that only a doorbell wakes."""
BACKOFF_SECONDS = 20.0
AWAY = "/hook/away"
"""Path of callbacks that are refused until this release runs."""
WORKERS = ("old", "old-bell", "new", "new-bell")


@pytest.fixture
def code(tmp_path: Path) -> tuple[Path, Path]:
    """The code of the release before, and the libraries that it alone needs."""
    try:
        root = unpack(tmp_path / "code")
        return root, libraries(root)
    except Unavailable as reason:
        pytest.skip(f"the release before cannot run here: {reason}")


@pytest.fixture
def sink() -> Iterator[WebhookReceiver]:
    """The receiver of the jobs' callbacks; for now it refuses those that are sent to AWAY."""
    with WebhookReceiver() as made:
        made.reply_to[AWAY] = Reply(503)
        yield made


@pytest.fixture
def endpoint() -> Iterator[WebhookReceiver]:
    """The receiver of the tenant's endpoint, which is sent every event."""
    with WebhookReceiver() as made:
        yield made


@pytest.fixture
def media() -> Iterator[MediaServer]:
    with MediaServer() as made:
        yield made


@pytest.fixture
def before(
    code: tuple[Path, Path], sink: WebhookReceiver, empty_database_url: str, broker_url: str, tmp_path: Path
) -> Iterator[Scenario]:
    """The release before: API, CPU worker and two GPU workers."""
    (tmp_path / "old").mkdir()
    settings = SETTINGS | {"ATELIER_DATABASE_URL": empty_database_url, "ATELIER_BROKER_URL": broker_url}
    made = ReleaseBefore(*code, tmp_path / "old", settings)
    try:
        assert SCHEMA == schema(empty_database_url)
        start(made, "old", ATELIER_RETRY_BACKOFF=str(BACKOFF_SECONDS))
        yield Scenario(made, sink, "old")
    finally:
        made.close()


def start(service: Service, name: str, **settings: str) -> None:
    """Start API, CPU worker and two GPU workers; the second one does not poll."""
    names = name, f"{name}-bell"
    for server_id, more in zip(names, (settings, NO_POLLS), strict=True):
        service.gpu(server_id, wait=False, **more)
    service.cpu()
    service.api()
    for server_id in names:
        service.up(server_id)


def schema(database_url: str) -> str:
    with psycopg.connect(database_url) as connection:
        ((version,),) = connection.execute("SELECT version_num FROM alembic_version").fetchall()
    return str(version)


def migrate(service: Service) -> None:
    """`atelier migrate` of this code, as an operator runs it."""
    environment = service.environment | {"PYTHONPATH": str(ROOT)}
    argv = [sys.executable, "-m", "cli.main", "migrate"]
    outcome = subprocess.run(argv, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert 0 == outcome.returncode, outcome.stderr


@contextmanager
def beside(before: Scenario, sink: WebhookReceiver, folder: Path) -> Iterator[Scenario]:
    """The processes of this code, on the same servers and under the same address."""
    folder.mkdir()
    shared = ("DATABASE_URL", "BROKER_URL", "STORAGE_URL", "PUBLIC_URL", "SECRET_KEY")
    settings = {f"ATELIER_{name}": before.service.environment[f"ATELIER_{name}"] for name in shared}
    made = Service(folder, SETTINGS | settings)
    try:
        start(made, "new")
        yield Scenario(made, sink, "new")
    finally:
        made.close()


def seen(run: Scenario, job_id: str, *states: str) -> Exchange:
    """The answer to a look at a job, once it is in one of these states."""

    def look() -> Exchange | None:
        exchange = run.caller.look(job_id)
        return exchange if exchange.state in states else None

    return until(look, 60, f"{job_id} to be {' or '.join(states)}", every=0.1)


def running(run: Scenario, job_id: str) -> None:
    """Wait until the pipeline of a job reports steps."""

    def computes() -> bool:
        status = run.service.client.get(f"/jobs/v1/{job_id}").json()
        return bool(status["status"] == "processing" and status["stage"] == "step")

    until(computes, 60, f"{job_id} to be computing", every=0.1)


def wait_for(run: Scenario, job_id: str) -> dict[str, Any]:
    """The status of a job once its stream of events has ended."""
    client = run.service.client
    with client.stream("GET", f"/jobs/v1/{job_id}/events", timeout=90) as stream:
        *_, last = events(stream)
    status: dict[str, Any] = client.get(f"/jobs/v1/{job_id}").raise_for_status().json()
    assert last.name == status["status"]
    return status


def download(service: Service, status: dict[str, Any]) -> bytes:
    """The first output of a job by its signed link, asked of the API of `service`."""
    link = httpx.URL(status["result_url"])
    url = httpx.URL(service.url).copy_with(raw_path=link.raw_path)
    answer = httpx.get(url, follow_redirects=True, timeout=30)
    return answer.raise_for_status().content


class Made(msgspec.Struct, frozen=True):
    """Jobs of the release before that are under way when the schema changes, by what they wait for."""

    computing: str
    pinned: str
    retried: str
    ingesting: str


KEPT = "kept"
"""The Idempotency-Key of the pinned job."""


def fill(before: Scenario, away: str, picture: str) -> Made:
    """Make jobs in every state: ended ones whose ends are not delivered, deleted, cancelled, and those of `Made`."""
    wanted = {
        before.submit("null=1", callback_url=away): "completed",
        before.submit("fail=oops", callback_url=away): "failed",
        before.submit("null=1", model="chaos-edit"): "completed",
        (deleted := before.submit("null=1")): "completed",
    }
    for job_id, state in wanted.items():
        seen(before, job_id, state)
    assert before.caller.delete(deleted).good
    retried = before.submit("compute=8 steps=160", server_id="old")
    running(before, retried)
    os.kill(engine_of(before.service.newest["old"].pid) or 0, signal.SIGKILL)
    seen(before, retried, "queued")
    computing = before.submit(LONG, server_id="old")
    running(before, computing)
    assert "cancelled" == before.caller.cancel(before.submit("null=1", server_id="old")).state
    pinned = before.caller.submit(pinned_body(before), key=KEPT).job_id
    ingesting = before.submit("echo=1", model="chaos-edit", input_image=picture)
    states = {job_id: before.caller.look(job_id).state for job_id in (computing, pinned, ingesting)}
    assert {computing: "processing", pinned: "queued", ingesting: "pending"} == states
    return Made(computing, pinned, retried, ingesting)


def pinned_body(run: Scenario) -> dict[str, Any]:
    return run.body("null=1", server_id="old")


def finish(before: Scenario, after: Scenario, made: Made) -> None:
    """What was under way when the schema changed is finished, by whichever release has it."""
    job = after.service.job(made.computing)
    assert ("processing", 1, 1) == (job.status, job.attempt, job.fence)
    assert made.pinned == after.caller.submit(pinned_body(after), key=KEPT).job_id
    assert "completed" == wait_for(after, made.ingesting)["status"]
    assert "cancelled" == after.caller.cancel(made.computing).state
    for job_id in (made.pinned, made.retried):
        assert "completed" == wait_for(before, job_id)["status"]
    assert 2 == after.service.job(made.retried).attempt


def use_each_worker(run: Scenario, both: tuple[Scenario, Scenario]) -> None:
    """Jobs that one API takes, on each worker; some are woken by a bell alone. Both APIs answer the same of them."""
    for name in WORKERS:
        job_id = run.submit("compute=0.2 steps=2", server_id=name, model="chaos-edit")
        statuses = [wait_for(of, job_id) for of in both]
        assert [(name, "completed")] * 2 == [(one["server_id"], one["status"]) for one in statuses]
        assert 1 == len({download(of.service, one) for of in both for one in statuses})


def cancel_across(run: Scenario, other: Scenario, name: str) -> None:
    """A worker of one release stops a job that the API of the other cancels, and takes the next."""
    job_id = other.submit(LONG, server_id=name)
    running(other, job_id)
    behind = run.submit("null=1", server_id=name)
    assert "cancelled" == run.caller.cancel(job_id).state
    assert "completed" == wait_for(other, behind)["status"]


def lose_workers(before: Scenario, after: Scenario) -> None:
    """Amid a load on both APIs one worker of each release is killed; those that replace them are of this one."""
    with before.load(40, over=8.0) as first, after.load(40, over=8.0) as second:
        load = (*first, *second)
        until(lambda: sum(job.done() for job in load) > 20, 120, "a part of the submits")
        kill(before.service.newest["old"])
        kill(after.service.newest["new"])
    assert 80 == len({job.result() for job in load})
    for name in ("old", "new"):
        after.service.gpu(name)


def leave(before: Scenario, after: Scenario) -> None:
    """The release before is stopped; what its worker computes goes back, its attempt refunded."""
    job_id = after.submit("compute=6 steps=120", server_id="old-bell", pin="prefer", prefer_seconds=1)
    running(after, job_id)
    leaving = [before.service.newest[name] for name in ("api", "cpu", "old-bell")]
    for process in leaving:
        process.terminate()
    assert [0, 0, 0] == [process.wait(60) for process in leaving]
    assert "completed" == wait_for(after, job_id)["status"]
    assert 1 == after.service.job(job_id).attempt


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_an_upgrade_under_load_keeps_every_promise(
    before: Scenario, sink: WebhookReceiver, endpoint: WebhookReceiver, media: MediaServer, tmp_path: Path
) -> None:
    webhook = before.service.client.post("/webhooks/v1", json={"url": endpoint.url}).raise_for_status().json()
    released = threading.Event()
    made = fill(before, f"{sink.url}/away", media.serve("/held.png", png(), before=released.wait))
    with before.load(60, over=10.0) as load:
        until(lambda: load[0].done(), 60, "the load to begin")
        migrate(before.service)
    assert SCHEMA < schema(before.service.settings.database_url)
    assert 60 == len({job.result() for job in load})

    with beside(before, sink, tmp_path / "new") as after:
        released.set()
        sink.reply_to.clear()
        finish(before, after, made)
        both = (before, after)
        for run, other, name in ((before, after, "new"), (after, before, "old")):
            use_each_worker(run, both)
            cancel_across(run, other, name)
            for number in range(4):  # inputs, which either CPU worker fetches
                run.submit("echo=1", model="chaos-edit", input_image=media.serve(f"/{number}.png", png(number)))
        lose_workers(before, after)
        leave(before, after)

        after.log[:0] = before.log
        assert [] == after.verdict(120)
        assert [] == [exchange for exchange in after.log if not exchange.status or exchange.status >= 500]
        assert_each_event_came_once(sink, endpoint, webhook["secret"], after.service.settings.database_url)
        until(lambda: reserved(after.service) == 0, 120, "the reservations of finished jobs to be released", every=0.5)
        assert {} == errors(before.service) | errors(after.service)


def reserved(service: Service) -> float:
    """What the tenant's unfinished jobs may still cost it; a CPU worker corrects it once a minute."""
    with psycopg.connect(service.settings.database_url) as connection:
        ((dollars,),) = connection.execute("SELECT reserved_usd FROM tenants WHERE name = 'tests'").fetchall()
    return float(dollars)


def errors(service: Service) -> dict[str, str]:
    """Logs with an error that no job has ordered."""
    logs = {path.name: path.read_text(errors="replace") for path in service.folder.glob("*.log")}
    return {name: log for name, log in logs.items() if log.count("Traceback") != log.count("\nRuntimeError: oops")}


def assert_each_event_came_once(
    sink: WebhookReceiver, endpoint: WebhookReceiver, secret: str, database_url: str
) -> None:
    """Each event came to the endpoint once, signed, and in the order of its job; each end to the callback once."""
    with psycopg.connect(database_url) as connection:
        number = dict(connection.execute("SELECT id, event_seq FROM outbox").fetchall())
    verifier = Webhook(secret)
    numbers: dict[str, list[int]] = defaultdict(list)
    for one in endpoint.received:
        job_id = verifier.verify(one.body, one.headers)["data"]["job_id"]
        if one.id in number:  # else its job was deleted since
            numbers[job_id].append(number[one.id])
    for job_id, of_job in numbers.items():
        assert sorted(set(of_job)) == of_job, job_id
    ends = Counter(one.data["data"]["job_id"] for one in sink.received if one.path != AWAY)
    assert 1 == max(ends.values())
