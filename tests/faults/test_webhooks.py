"""Scenarios 17, 18, 19, 27 and 31: receivers that fail or never answer, secrets that change, hosts that are shared.

All share one CPU worker. The jobs are rows that the service's own statements make and end; no GPU worker is needed to
have something to tell.
"""

import statistics
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any
from urllib.parse import urlsplit

import pytest
from sqlalchemy import Row, delete, func, select, text, update
from standardwebhooks import Webhook, WebhookVerificationError

from core.ids import new_id
from core.signing import webhook_secret
from jobs.job import Job
from jobs.schema.tables import outbox
from jobs.schema.tables import webhooks as endpoints
from jobs.statements.clauses import ago
from jobs.statements.queue import claim
from jobs.statements.webhooks import endpoints as webhooks
from tests.support.faults.faults import kill
from tests.support.rows.rows import Rows
from tests.support.servers.webhook_receiver import Received, Reply, Tarpit, WebhookReceiver
from tests.support.service.service import Service, service
from tests.support.wait import until

SETTINGS = {
    "ATELIER_DEVELOPMENT": "1",
    "ATELIER_ALLOWED_NETWORKS": "127.0.0.0/8",
    "ATELIER_WEBHOOK_SCHEDULE": ",".join(["0", *["0.2"] * 60]),
    "ATELIER_WEBHOOK_BREAKER_FAILURES": "5",
    "ATELIER_WEBHOOK_BREAKER_SECONDS": "0.2",
    "ATELIER_WEBHOOK_TIMEOUT": "4",
}


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory, module_database_url: str, valkey: str) -> Iterator[Service]:
    """A database and one CPU worker."""
    folder = tmp_path_factory.mktemp("webhooks")
    with service(folder, database_url=module_database_url, broker_url=valkey, **SETTINGS) as made:
        made.cpu()
        yield made


@pytest.fixture(scope="module")
def rows(studio: Service) -> Rows:
    return Rows(studio.database)


@pytest.fixture(scope="module")
def claimant(rows: Rows) -> claim.Claimant:
    """A server that takes the jobs of these tests."""
    return rows.server(lease_seconds=3600.0)


@pytest.fixture
def endpoint(rows: Rows) -> Callable[..., str]:
    """Make an endpoint of a tenant; its id."""

    def make(tenant: str, url: str) -> str:
        events = ["job.started", "job.completed"]
        return str(rows.scalar(webhooks.add_webhook(new_id("whk"), tenant, url=url, events=events)))

    return make


def run_job(rows: Rows, claimant: claim.Claimant, tenant: str, **params: Any) -> Job:
    """A job that was queued, started and completed."""
    rows.submit(tenant, **params)
    job = rows.claim(claimant)
    assert job is not None
    done = rows.complete(job)
    assert done is not None
    return done


def deliveries(rows: Rows, tenant: str) -> list[Row[Any]]:
    return list(rows.execute(outbox.select().where(outbox.c.tenant == tenant).order_by(outbox.c.created_at)))


def closed(rows: Rows, tenant: str) -> bool:
    """Whether nothing is to be sent for the tenant any more."""
    return all(row.delivered_at or row.superseded_at or row.given_up_at for row in deliveries(rows, tenant))


def accepts(verifier: Webhook, received: Received) -> bool:
    try:
        verifier.verify(received.body, received.headers)
    except WebhookVerificationError:
        return False
    return True


def kinds(received: list[Received], job: Job) -> list[str]:
    """Types of what arrived about a job, as it came, without what came again."""
    seen: dict[str, str] = {}
    for one in received:
        if one.data["data"]["job_id"] == job.id:
            seen.setdefault(one.id, one.data["type"])
    return list(seen.values())


def test_17_a_receiver_that_fails_and_recovers(
    studio: Service, rows: Rows, claimant: claim.Claimant, endpoint: Callable[..., str], full: bool
) -> None:
    """500s for a while: then every end arrives once it can, signed, in order, under one id, and so does the callback.

    The worker is killed in the middle.
    """
    tenant = rows.tenant("recovering")
    fails = [Reply(500)] * (16 if full else 8)
    with WebhookReceiver() as sink, WebhookReceiver() as callback:
        sink.replies, callback.replies = list(fails), list(fails)
        webhook_id = endpoint(tenant, sink.url)
        done = [run_job(rows, claimant, tenant, callback_url=callback.url) for _ in range(20 if full else 4)]
        until(lambda: len(sink.received) >= 6, 30, "failed attempts")
        kill(studio.processes[-1])
        studio.cpu()
        until(lambda: closed(rows, tenant), 180 if full else 60, "every delivery")
        received, called = list(sink.received), list(callback.received)
    for job in done:
        order = kinds(received, job)
        assert order[-1] == "job.completed", order
        assert order in (["job.completed"], ["job.started", "job.completed"])
        assert ["job.completed"] == kinds(called, job)
    for owner, arrived in ((webhook_id, received), (tenant, called)):
        verifier = Webhook(webhook_secret(studio.settings.secret_key, owner, 1))
        assert all(verifier.verify(one.body, one.headers) for one in arrived)
    ends = [row for row in deliveries(rows, tenant) if row.type == "job.completed"]
    assert 2 * len(done) == len(ends)
    assert all(row.delivered_at is not None for row in ends)
    assert all(row.attempts[-1]["status"] == 200 for row in ends)


def test_17_a_start_that_nobody_takes_never_holds_back_the_end(
    studio: Service, rows: Rows, claimant: claim.Claimant, endpoint: Callable[..., str]
) -> None:
    tenant = rows.tenant("held back")
    with WebhookReceiver() as sink:
        sink.replies = [Reply(500, {"retry-after": "3600"})]
        endpoint(tenant, sink.url)
        rows.submit(tenant)
        job = rows.claim(claimant)
        assert job is not None
        until(lambda: deliveries(rows, tenant)[0].answer == 500, 30, "the start to be refused, for an hour")
        rows.complete(job)
        until(lambda: len(sink.received) == 2, 30, "the end")
        until(lambda: closed(rows, tenant), 30, "the bookkeeping")
        assert ["job.started", "job.completed"] == [one.data["type"] for one in sink.received]
    started, completed = deliveries(rows, tenant)
    assert started.superseded_at is not None
    assert completed.delivered_at is not None


def test_17_host_that_is_down_costs_no_attempts(studio: Service, rows: Rows, claimant: claim.Claimant) -> None:
    tenant = rows.tenant("down")
    with WebhookReceiver(host="127.0.2.1") as sink:
        sink.replies = [Reply(503)] * 8
        for _ in range(8):
            run_job(rows, claimant, tenant, callback_url=sink.url)
        until(lambda: closed(rows, tenant), 60, "every delivery")
        assert 8 + 8 == len(sink.received)
    attempts = [row.attempt for row in deliveries(rows, tenant)]
    assert 8 + 8 == sum(attempts)
    assert all(row.delivered_at is not None for row in deliveries(rows, tenant))


@pytest.mark.long
def test_18_receivers_that_never_answer_delay_nobody_else(
    studio: Service, rows: Rows, claimant: claim.Claimant, full: bool, capsys: Any
) -> None:
    """50 tarpits of one tenant, each asked again and again; the deliveries of another meanwhile."""
    slow, quick = rows.tenant("slow"), rows.tenant("quick")
    with ExitStack() as opened, WebhookReceiver() as sink:
        pits = [opened.enter_context(Tarpit(f"127.0.1.{number}")) for number in range(1, 51)]
        for pit in pits:
            run_job(rows, claimant, slow, callback_url=pit.url)
        until(lambda: 32 <= sum(row.attempt for row in deliveries(rows, slow)), 30, "as many as a tenant may have")
        waves = 20 if full else 3
        for wave in range(1, waves + 1):
            for _ in range(5):
                run_job(rows, claimant, quick, callback_url=sink.url)
            until(lambda wave=wave: 5 * wave == len(sink.received), 60, "the other tenant's webhooks")
        until(lambda: closed(rows, quick), 30, "the bookkeeping")
        rows.execute(update(outbox).where(outbox.c.tenant == slow).values(given_up_at=func.now()))
    seconds = [(row.delivered_at - row.created_at).total_seconds() for row in deliveries(rows, quick)]
    p95 = statistics.quantiles(seconds, n=20)[-1]
    with capsys.disabled():
        print(f"\nwebhooks beside 50 tarpits: p50 {statistics.median(seconds):.2f} s, p95 {p95:.2f} s")
    if full:
        assert p95 < 2.0  # the promise of the issue, not a benchmark


@pytest.fixture
def seconds_beside(
    rows: Rows, claimant: claim.Claimant, full: bool, capsys: Any
) -> Callable[[str, str, WebhookReceiver], list[float]]:
    """Deliver for another tenant meanwhile, wave by wave; how long each delivery took, and that it was not too long."""

    def measure(beside: str, tenant: str, sink: WebhookReceiver) -> list[float]:
        for wave in range(1, (20 if full else 3) + 1):
            for _ in range(5):
                run_job(rows, claimant, tenant, callback_url=sink.url)
            arrived = lambda wave=wave: 5 * wave == sum(one.path == "/hook" for one in sink.received)  # noqa: E731
            until(arrived, 60, "the other tenant's webhooks")
        until(lambda: closed(rows, tenant), 30, "the bookkeeping")
        seconds = [(row.delivered_at - row.created_at).total_seconds() for row in deliveries(rows, tenant)]
        p95 = statistics.quantiles(seconds, n=20)[-1]
        with capsys.disabled():
            print(f"\nwebhooks beside {beside}: p50 {statistics.median(seconds):.2f} s, p95 {p95:.2f} s")
        if full:
            assert p95 < 2.0  # the promise of the issue, not a benchmark
        return seconds

    return measure


def test_27_a_slow_path_of_another_tenant_on_one_host(
    studio: Service, rows: Rows, claimant: claim.Claimant, seconds_beside: Callable[..., list[float]]
) -> None:
    """60 deliveries of one tenant to a path that never answers; those of another go to the same host and port."""
    slow, quick, hang = rows.tenant("slow path"), rows.tenant("quick path"), threading.Event()
    with WebhookReceiver() as sink:
        sink.reply_to = {"/slow": Reply(before=hang.wait)}
        for _ in range(60):
            run_job(rows, claimant, slow, callback_url=sink.url.replace("/hook", "/slow"))
        until(lambda: 4 <= sum(row.attempt for row in deliveries(rows, slow)), 30, "as many as it may have")
        seconds_beside("a slow path of the host", quick, sink)
        rows.execute(update(outbox).where(outbox.c.tenant == slow).values(given_up_at=func.now()))
        hang.set()


@pytest.mark.long
def test_27_a_closed_port_beside_an_open_one(
    rows: Rows, claimant: claim.Claimant, seconds_beside: Callable[..., list[float]]
) -> None:
    """60 deliveries of one tenant to a port that is closed; another tenant's receiver is at another port."""
    closed_port, open_port = rows.tenant("closed port"), rows.tenant("open port")
    with WebhookReceiver() as gone:
        pass
    for _ in range(60):
        run_job(rows, claimant, closed_port, callback_url=gone.url)
    until(lambda: 4 <= sum(row.attempt for row in deliveries(rows, closed_port)), 30, "some attempts")
    with WebhookReceiver() as sink:
        assert urlsplit(gone.url).hostname == urlsplit(sink.url).hostname
        seconds_beside("a closed port of the host", open_port, sink)
    rows.execute(update(outbox).where(outbox.c.tenant == closed_port).values(given_up_at=func.now()))


def test_31_a_backlog_at_one_host_delays_none_elsewhere(
    studio: Service, rows: Rows, endpoint: Callable[..., str], full: bool, seconds_beside: Callable[..., list[float]]
) -> None:
    """100,000 deliveries are due at a host that never answers, which is asked, and left alone, and asked again."""
    behind, quick = rows.tenant("behind"), rows.tenant("elsewhere")
    with Tarpit() as pit, WebhookReceiver() as sink:
        backlog = text("""
            INSERT INTO outbox (id, tenant, webhook_id, event_seq, type, url)
            SELECT 'msg_' || gen_random_uuid(), :tenant, :webhook_id, 1, 'webhook.test', :url
            FROM generate_series(1, :count)""")
        facts = {"tenant": behind, "webhook_id": endpoint(behind, pit.url), "url": pit.url}
        rows.execute(backlog.bindparams(**facts, count=100_000 if full else 3_000))
        begun = select(func.count()).where(outbox.c.tenant == behind, outbox.c.attempt > 0)
        until(lambda: rows.scalar(begun) >= 4, 60, "as many as it may have")
        seconds_beside("a backlog at one host", quick, sink)
        rows.execute(delete(outbox).where(outbox.c.tenant == behind))


def test_19_a_secret_that_is_rotated_under_load(
    studio: Service, rows: Rows, claimant: claim.Claimant, endpoint: Callable[..., str], full: bool
) -> None:
    """Who knows only the old secret and who knows only the new one accept all that is sent within the day."""
    tenant = rows.tenant("rotating")
    count = 100 if full else 10
    with WebhookReceiver() as sink:
        webhook_id = endpoint(tenant, sink.url)
        rows.execute(webhooks.change_webhook(webhook_id, tenant, events=["job.completed"]))
        old, new = (Webhook(webhook_secret(studio.settings.secret_key, webhook_id, number)) for number in (1, 2))
        for number in range(count):
            run_job(rows, claimant, tenant)
            if number == count // 2:
                assert 2 == rows.execute(webhooks.rotate_webhook(webhook_id, tenant))[0].generation
        until(lambda: closed(rows, tenant), 60, "every delivery")
        during = len(sink.received)
        rows.execute(update(endpoints).where(endpoints.c.id == webhook_id).values(rotated_at=ago(86_401)))
        run_job(rows, claimant, tenant)
        until(lambda: len(sink.received) > during, 30, "one after the day")
        received = list(sink.received)
    assert count == during
    assert all(accepts(old, one) for one in received[:-1])
    both = [accepts(new, one) for one in received]
    assert both == sorted(both)  # none before the rotation, all after it
    assert sum(both) >= count - count // 2
    assert (False, True) == (accepts(old, received[-1]), both[-1])
