"""Webhooks from the outbox to a real receiver: what arrives, how often, and what becomes of it when it does not."""

import socket
import threading
import time
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from sqlalchemy import select, text
from standardwebhooks import Webhook, WebhookVerificationError

from core.database import sync_engine
from core.ids import new_id
from core.settings import Settings
from core.signing import webhook_secret
from jobs.schema.tables import outbox
from jobs.statements import api_keys
from jobs.statements.queue import tenant_jobs
from jobs.statements.webhooks.delivery_functions import delivered_function, take_function
from tests.support.paths import TLS
from tests.support.rows.rows import ARTIFACT
from tests.support.servers.webhook_receiver import Reply, Tarpit, WebhookReceiver
from tests.support.service.cpu_worker import cpu_process, cpu_worker
from tests.support.wait import until

"""A throw-away authority, and a certificate (with its key) that it gave to `hooks.example`."""


@pytest.fixture
def make_settings(database_url, tmp_path):
    def make(**more):
        chosen = {
            "database_url": database_url,
            "broker_url": "redis://127.0.0.1:1/0",
            "storage_url": f"file://{tmp_path}/objects",
            "scratch_dir": str(tmp_path / "scratch"),
            "secret_key": "a secret",
            "development": True,
            "allowed_networks": "127.0.0.0/8",
            "webhook_poll_seconds": 0.05,
            "webhook_schedule": "0,0.05,0.05,0.05",
            "webhook_timeout": 2.0,
            "webhook_connect_timeout": 1.0,
        }
        return Settings(**(chosen | more))

    return make


@pytest.fixture
def settings(make_settings):
    return make_settings()


@pytest.fixture
def sink():
    with WebhookReceiver() as receiver:
        yield receiver


def finished(rows, url, *artifacts, tenant="studio"):
    """A completed job whose webhook waits in the outbox."""
    job = rows.submit(rows.tenant(tenant), callback_url=url)
    claimed = rows.claim(rows.server(f"server-{job.id}"))
    assert job.id == claimed.id
    return rows.complete(claimed, *artifacts)


def only(rows):
    (delivery,) = rows.deliveries()
    return delivery


@pytest.mark.contract("C5")
def test_a_completed_job_sends_its_signed_status_answer(rows, settings, sink):
    job = finished(rows, sink.url, ARTIFACT)
    with cpu_worker(settings):
        until(lambda: only(rows).delivered_at, what="the delivery")
    (received,) = sink.received
    secret = webhook_secret(settings.secret_key, job.tenant, 1)
    assert received.data == Webhook(secret).verify(received.body, received.headers)
    assert "/hook" == received.path
    assert "application/json" == received.headers["content-type"]
    assert only(rows).id == received.id
    assert 200 == only(rows).answer
    assert {"type", "timestamp", "data"} == received.data.keys()
    assert "job.completed" == received.data["type"]
    assert job.finished_at.isoformat().replace("+00:00", "Z") == received.data["timestamp"]
    assert job.id == received.data["data"]["job_id"]
    assert "completed" == received.data["data"]["status"]
    assert received.data["data"]["outputs"][0]["url"] == received.data["data"]["result_url"]
    assert f"/o/{job.id}/0.webp?signature=" in received.data["data"]["result_url"]


@pytest.mark.long
def test_without_tracing_a_receiver_gets_the_callers_trace(rows, settings, sink):
    parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    finished(rows, sink.url)
    rows.set(finished(rows, sink.url), traceparent=parent)
    with cpu_worker(settings):
        until(lambda: len(sink.received) == 2, what="the deliveries")
    assert {None, parent} == {received.headers.get("traceparent") for received in sink.received}


@pytest.mark.contract("E11")
def test_every_terminal_state_is_told(rows, settings, sink):
    tenant = rows.tenant()
    finished(rows, sink.url)
    rows.cancel(rows.submit(tenant, callback_url=sink.url))
    late = rows.submit(tenant, callback_url=sink.url, deadline_seconds=-1.0)
    with cpu_worker(settings):
        until(lambda: len(sink.received) == 3, what="three webhooks")
    delivered = {received.data["type"]: received.data["data"] for received in sink.received}
    assert {"job.completed", "job.cancelled", "job.failed"} == delivered.keys()
    assert late.id == delivered["job.failed"]["job_id"]
    assert "deadline_exceeded" == delivered["job.failed"]["error"]["code"]


def test_a_job_without_a_callback_tells_nobody(rows, settings):
    job = rows.submit(rows.tenant())
    assert rows.cancel(job) is not None
    assert 0 == len(rows.deliveries())


def test_a_receiver_that_failed_gets_it_again_under_the_same_id(rows, settings, sink):
    finished(rows, sink.url)
    sink.replies = [Reply(500), Reply(503), Reply(204, body=b"")]
    with cpu_worker(settings):
        until(lambda: only(rows).delivered_at, what="the delivery")
    assert 3 == len(sink.received)
    assert {only(rows).id} == {received.id for received in sink.received}
    assert 1 == len({received.body for received in sink.received})
    assert (3, 204, None) == (only(rows).attempt, only(rows).answer, only(rows).problem)


@pytest.mark.contract("E10")
def test_the_schedule_ends(rows, settings, sink):
    finished(rows, sink.url)
    sink.replies = [Reply(500)] * 10
    with cpu_worker(settings):
        until(lambda: only(rows).given_up_at, what="giving up")
    assert 4 == len(sink.received) == only(rows).attempt
    assert (500, "The receiver answered 500.") == (only(rows).answer, only(rows).problem)
    assert only(rows).delivered_at is None


@pytest.mark.long
def test_gone_ends_it_at_once(rows, settings, sink):
    finished(rows, sink.url)
    sink.replies = [Reply(410)]
    with cpu_worker(settings):
        until(lambda: only(rows).given_up_at, what="giving up")
    assert 1 == len(sink.received)
    assert (410, "The receiver answered 410 Gone, so nothing more is sent.") == (only(rows).answer, only(rows).problem)


def test_a_redirect_is_not_followed(rows, make_settings, sink):
    finished(rows, sink.url)
    with WebhookReceiver() as elsewhere:
        sink.replies = [Reply(302, {"location": elsewhere.url})] * 4
        with cpu_worker(make_settings(webhook_schedule="0,0.05")):
            until(lambda: only(rows).given_up_at, what="giving up")
        assert [] == elsewhere.received
    assert 2 == len(sink.received)
    assert "redirects are not followed" in only(rows).problem


@pytest.mark.long
def test_retry_after_is_honoured(rows, settings, sink):
    finished(rows, sink.url)
    sink.replies = [Reply(429, {"retry-after": "600"})]
    with cpu_worker(settings):
        until(lambda: only(rows).answer, what="the answer")
    waits = (only(rows).available_at - only(rows).created_at).total_seconds()
    assert 600 <= waits < 800
    assert 1 == len(sink.received)


@pytest.mark.long
def test_a_date_to_retry_after_counts_by_the_answers_clock(rows, settings, sink):
    """The receiver's clock is years off: ten minutes are ten minutes."""
    finished(rows, sink.url)
    date = datetime(2031, 5, 6, 7, 8, 9, tzinfo=UTC)
    again = format_datetime(date + timedelta(minutes=10), usegmt=True)
    sink.replies = [Reply(429, {"retry-after": again}, date=format_datetime(date, usegmt=True))]
    with cpu_worker(settings):
        until(lambda: only(rows).answer, what="the answer")
    waits = (only(rows).available_at - only(rows).created_at).total_seconds()
    assert 600 <= waits < 800


@pytest.mark.matrix
@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("http://10.0.0.1/hook", "private"),
        ("http://169.254.169.254/latest/meta-data/", "metadata"),
        ("ftp://example.com/hook", "http"),
        ("http://[::1]:1/hook", "loopback"),
    ],
)
def test_a_forbidden_url_is_given_up_at_once_with_its_reason(rows, settings, url, problem):
    finished(rows, url)
    with cpu_worker(settings):
        until(lambda: only(rows).given_up_at, what="giving up")
    assert problem in only(rows).problem
    assert (1, None) == (only(rows).attempt, only(rows).answer)


@pytest.mark.long
def test_without_development_not_even_this_machine_is_reached(rows, make_settings, sink):
    finished(rows, sink.url)
    with cpu_worker(make_settings(development=False)):
        until(lambda: only(rows).given_up_at, what="giving up")
    assert [] == sink.received


@pytest.mark.long
def test_a_refused_connection_is_a_failed_attempt(rows, make_settings):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/hook"
    finished(rows, url)
    with cpu_worker(make_settings(webhook_schedule="0,0.05")):
        until(lambda: only(rows).given_up_at, what="giving up")
    assert "ConnectError" in only(rows).problem
    assert 2 == only(rows).attempt


def test_a_tarpit_delays_nobody_else(rows, make_settings, sink):
    """Fault 18, small: slow receivers of one tenant, and a delivery of another."""
    with Tarpit() as tarpit:
        for _ in range(20):
            finished(rows, tarpit.url, tenant="slow")
        with cpu_worker(make_settings(webhook_timeout=30.0, grace_seconds=0.1)):
            until(lambda: sum(row.attempt for row in rows.deliveries()) == 4, what="four of them to be under way")
            finished(rows, sink.url, tenant="quick")
            until(lambda: sink.received, timeout=20, what="the delivery")
            assert 4 == sum(row.attempt for row in rows.deliveries() if row.url == tarpit.url)


@pytest.mark.long
def test_a_slow_path_of_another_tenant_on_the_host_delays_none(rows, make_settings, sink):
    """Fault 27: one receiver, two tenants. The path of the one never answers, and 60 of its deliveries are first."""
    hang = threading.Event()
    sink.reply_to = {"/slow": Reply(before=hang.wait)}
    slow, claimant = rows.tenant("slow"), rows.server()
    for _ in range(60):
        rows.submit(slow, callback_url=sink.url.replace("/hook", "/slow"))
        rows.complete(rows.claim(claimant))
    settings = make_settings(webhook_timeout=60.0, webhook_poll_seconds=0.2, grace_seconds=0.1)
    with cpu_worker(settings):
        until(lambda: len(sink.received) == 4, what="as many as it may have under way")
        for number in range(1, 4):
            finished(rows, sink.url, tenant="quick")
            arrived = lambda number=number: sum(one.path == "/hook" for one in sink.received) == number  # noqa: E731
            until(arrived, what="the delivery")
        assert 4 == sum(one.path == "/slow" for one in sink.received)
        hang.set()


@pytest.mark.long
def test_a_receivers_next_deliveries_wait_for_no_poll(rows, make_settings, sink):
    """It may have four at once; when those are done the next ones follow, however seldom the worker looks."""
    for _ in range(12):
        finished(rows, sink.url)
    with cpu_worker(make_settings(webhook_poll_seconds=600.0, input_poll_seconds=600.0)):
        until(lambda: len(sink.received) == 12, what="all of them")


@pytest.mark.long
def test_a_scheme_of_a_host_that_fails_stops_no_other(rows, make_settings, hooks_example):
    """Fault 27: `http://` fails where `https://` is served, and is left alone, for the tenant that sent to it."""
    with WebhookReceiver(certificate=TLS / "server.pem") as sink:
        secure = sink.url.replace("127.0.0.1", "hooks.example")
        plain = secure.replace("https://", "http://")
        breaker = {"webhook_breaker_failures": 3, "webhook_breaker_seconds": 600.0}
        for _ in range(14):
            finished(rows, plain, tenant="loud")
        with cpu_worker(make_settings(webhook_schedule="0,0,0,0,0", ca_bundle=str(TLS / "ca.pem"), **breaker)):
            left_alone = "SELECT count(*) FROM webhook_receivers WHERE open_until > now()"
            until(lambda: rows.scalar(text(left_alone)) == 1, what="the scheme to be left alone")
            finished(rows, secure, tenant="loud")
            finished(rows, secure, tenant="other")
            finished(rows, plain, tenant="other")
            until(lambda: len(sink.received) == 2, what="the deliveries")
            own = select(outbox.c.attempt).where(outbox.c.tenant == rows.tenant("other"), outbox.c.url == plain)
            until(lambda: rows.scalar(own) > 0, what="the other tenant's own attempt")


@pytest.mark.long
def test_many_tarpits_do_not_delay_other_tenants(rows, make_settings, full, sink):
    """Fault 18: with `--full` 50 hosts, and 20 deliveries whose 95th percentile is what is promised.

    Otherwise only that they are sooner than the tarpits give up; a busy machine has its own delays.
    """
    hosts = 50 if full else 8
    with ExitStack() as stack, Tarpit() as tarpit:
        claimant = rows.server()

        def complete(url, tenant):
            rows.submit(rows.tenant(tenant), callback_url=url)
            rows.complete(rows.claim(claimant))

        for number in range(hosts):
            other = stack.enter_context(Tarpit())
            for _ in range(5):
                complete(other.url, f"slow {number}")
                complete(tarpit.url, f"slow {number}")
        with cpu_worker(make_settings(webhook_timeout=15.0, grace_seconds=0.1, webhook_poll_seconds=1.0)):
            under_way = 4 * hosts + 4
            until(lambda: sum(row.attempt for row in rows.deliveries()) >= under_way, what="the tarpits to be full")
            waits = []
            for number in range(20 if full else 3):
                started = time.monotonic()
                complete(sink.url, "quick")
                until(lambda number=number: len(sink.received) == number + 1, timeout=14, what="the delivery")
                waits.append(time.monotonic() - started)
    assert sorted(waits)[-1 - len(waits) // 20] < (2.0 if full else 10.0), waits


@pytest.mark.contract("E10")
def test_no_answer_is_a_failed_attempt(rows, make_settings):
    with Tarpit() as tarpit:
        finished(rows, tarpit.url)
        with cpu_worker(make_settings(webhook_timeout=1.0, webhook_schedule="0,0.05")):
            until(lambda: only(rows).given_up_at, what="giving up")
    assert (2, "No answer within 1 s.") == (only(rows).attempt, only(rows).problem)


@pytest.mark.long
def test_an_answer_that_never_ends_counts_by_its_status(rows, settings, sink):
    finished(rows, sink.url)
    end = threading.Event()
    sink.replies = [Reply(200, {"content-length": "1000000"}, body=b"x", after=end.wait)]
    with cpu_worker(settings):
        until(lambda: only(rows).delivered_at, what="the delivery")
    end.set()
    assert 1 == len(sink.received)


@pytest.mark.long
def test_after_a_rotation_old_and_new_secrets_verify_for_a_day(rows, settings, sink):
    tenant = rows.tenant()
    old, new = (Webhook(webhook_secret(settings.secret_key, tenant, generation)) for generation in (1, 2))
    with cpu_worker(settings):
        finished(rows, sink.url)
        until(lambda: len(sink.received) == 1, what="the first")
        assert 2 == rows.scalar(api_keys.rotate_webhook_secret(tenant))
        finished(rows, sink.url)
        until(lambda: len(sink.received) == 2, what="the second")
        rows.execute(text("UPDATE tenants SET webhook_rotated_at = now() - interval '25 hours'"))
        finished(rows, sink.url)
        until(lambda: len(sink.received) == 3, what="the third")
    before, during, after = sink.received
    assert old.verify(before.body, before.headers)
    assert old.verify(during.body, during.headers)
    assert new.verify(during.body, during.headers)
    assert new.verify(after.body, after.headers)
    for verifier, received in ((new, before), (old, after)):
        with pytest.raises(WebhookVerificationError):
            verifier.verify(received.body, received.headers)


@pytest.mark.long
def test_while_the_secret_key_is_rotated_both_keys_sign(rows, make_settings, sink):
    tenant = rows.tenant()
    finished(rows, sink.url)
    with cpu_worker(make_settings(secret_key="new,old")):
        until(lambda: sink.received, what="the webhook")
    (received,) = sink.received
    for secret_key in ("new", "old"):
        assert Webhook(webhook_secret(secret_key, tenant, 1)).verify(received.body, received.headers)
    assert 2 == len(received.headers["webhook-signature"].split())


@pytest.mark.long
def test_the_time_of_an_attempt_is_the_databases(rows, settings, sink, monkeypatch):
    """A worker whose clock is off by an hour still signs what receivers accept."""
    job = finished(rows, sink.url)
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + 3600)
    with cpu_worker(settings):
        until(lambda: sink.received, what="the webhook")
    monkeypatch.undo()
    (received,) = sink.received
    assert Webhook(webhook_secret(settings.secret_key, job.tenant, 1)).verify(received.body, received.headers)


@pytest.mark.long
def test_a_deleted_job_is_told_no_more(rows, settings, sink):
    job = finished(rows, sink.url)
    rows.execute(tenant_jobs.erase(job.id, job.tenant))
    with cpu_worker(settings):
        until(lambda: not rows.deliveries(), what="the delivery to vanish")
    assert [] == sink.received


@pytest.mark.long
def test_a_jobs_events_leave_in_their_order(rows, make_settings, sink):
    job = finished(rows, sink.url)
    first = only(rows)
    rows.execute(
        outbox.insert().values(
            id=new_id("msg"),
            tenant=job.tenant,
            job_id=job.id,
            event_seq=first.event_seq + 1,
            type="job.archived",
            url=sink.url,
            available_at=first.available_at.replace(year=2000),
        )
    )
    sink.replies = [Reply(500), Reply(500)]
    with cpu_worker(make_settings(webhook_schedule="0,0.2,0.2,0.2")):
        until(lambda: len(sink.received) == 4, what="both webhooks")
    assert ["job.completed"] * 3 + ["job.archived"] == [received.data["type"] for received in sink.received]


@pytest.mark.long
def test_after_a_kill_a_delivery_is_repeated_with_its_id(rows, make_settings, sink):
    settings = make_settings(webhook_timeout=1.0)
    finished(rows, sink.url)
    lock = sync_engine(settings).connect()
    sink.replies = [Reply(before=lambda: lock.execute(outbox.select().with_for_update()))]
    waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
    with cpu_process(settings) as process:
        until(lambda: rows.scalar(text(waiting)) == 1, what="the worker to write that it was delivered")
        process.kill()
        process.wait()
    rows.execute(text("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE NOT granted"))  # as with its machine
    until(lambda: rows.scalar(text(waiting)) == 0, what="the statement to be lost with its worker")
    lock.close()
    assert only(rows).delivered_at is None
    with cpu_worker(settings):
        until(lambda: only(rows).delivered_at, what="the second delivery")
    assert 2 == len(sink.received)
    assert {only(rows).id} == {received.id for received in sink.received}


@pytest.mark.long
def test_a_stop_waits_for_what_is_under_way(rows, settings, sink):
    finished(rows, sink.url)
    answer = threading.Event()
    sink.replies = [Reply(before=answer.wait)]
    with cpu_worker(settings):
        until(lambda: sink.received, what="the webhook")
        threading.Timer(0.3, answer.set).start()
    assert only(rows).delivered_at is not None


@pytest.fixture
def hooks_example(monkeypatch):
    """The names of example domains lead to this machine."""
    real = socket.getaddrinfo

    def getaddrinfo(host, *args, **kwargs):
        return real("127.0.0.1" if host in ("hooks.example", "other.example") else host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)


@pytest.mark.matrix
@pytest.mark.parametrize(("host", "accepted"), [("hooks.example", True), ("other.example", False)])
def test_the_certificate_is_checked_against_the_name(rows, make_settings, hooks_example, host, accepted):
    with WebhookReceiver(certificate=TLS / "server.pem") as sink:
        finished(rows, sink.url.replace("127.0.0.1", host))
        with cpu_worker(make_settings(webhook_schedule="0", ca_bundle=str(TLS / "ca.pem"))):
            until(lambda: only(rows).delivered_at or only(rows).given_up_at, what="an outcome")
    assert accepted == (only(rows).delivered_at is not None)
    if accepted:
        assert f"{host}:{sink.port}" == sink.received[0].headers["host"]
    else:
        assert "certificate verify failed" in only(rows).problem
        assert [] == sink.received


@pytest.mark.long
def test_a_burst_does_not_overrun_the_database_pool(rows, make_settings):
    """Many deliveries at once share few connections, with ingest beside them; waiting for one is not an outage.

    A transaction that finds the pool empty fails at once, so the test does not depend on speed.
    """
    with ExitStack() as stack:
        sinks = [stack.enter_context(WebhookReceiver()) for _ in range(8)]
        claimant = rows.server()
        for number in range(96):
            rows.submit(rows.tenant(f"studio {number % 4}"), callback_url=sinks[number % 8].url)
            rows.complete(rows.claim(claimant))
        settings = make_settings(
            db_pool=1, db_timeout=0.0, webhook_timeout=60.0, webhook_connect_timeout=60.0, input_poll_seconds=0.05
        )
        with cpu_worker(settings):
            until(lambda: all(row.delivered_at for row in rows.deliveries()), timeout=60, what="96 webhooks")
    assert [] == [entry for row in rows.deliveries() for entry in row.attempts if entry["problem"]]
    assert {1} == {row.attempt for row in rows.deliveries()}


@pytest.mark.long
def test_a_pool_of_receivers_is_served_at_once(rows, settings):
    """The cap is per host: many hosts do not wait for each other."""
    with WebhookReceiver() as one, WebhookReceiver() as two:
        for _ in range(10):
            finished(rows, one.url)
            finished(rows, two.url)
        with cpu_worker(settings):
            until(lambda: len(one.received) == len(two.received) == 10, what="twenty webhooks")
            until(lambda: all(row.delivered_at for row in rows.deliveries()), what="the bookkeeping")
        assert 20 == len({received.id for received in one.received + two.received})


@pytest.mark.matrix
@pytest.mark.parametrize("function", [take_function, delivered_function])
def test_a_function_that_is_missing_costs_no_delivery(rows, settings, sink, function):
    """Until `atelier migrate` has added it; what was sent is not sent again."""
    rows.execute(text(f"DROP FUNCTION {function().name}"))
    finished(rows, sink.url)
    with cpu_worker(settings):
        until(lambda: only(rows).delivered_at, timeout=20.0, what="the delivery")
    assert (1, 1) == (only(rows).attempt, len(sink.received))
