"""VideoGen's webhooks: flat, signed for its own verifier, one for each execution."""

import pytest
from videogen import verify_webhook_signature

from core.settings import Settings
from core.signing import webhook_secret
from jobs.job import JobError
from jobs.statements.queue import claimed
from jobs.statements.webhooks import endpoints
from jobs.wire.dialects.videogen import job_events
from tests.support.rows.rows import ARTIFACT
from tests.support.servers.webhook_receiver import WebhookReceiver
from tests.support.service.cpu_worker import cpu_worker
from tests.support.wait import until

ENDPOINT = "whk_" + "2" * 32
ALL = ["tool_execution.succeeded", "tool_execution.failed", "tool_execution.cancelled"]


@pytest.fixture
def settings(database_url, tmp_path):
    return Settings(
        database_url=database_url,
        broker_url="redis://127.0.0.1:1/0",
        storage_url=f"file://{tmp_path}/objects",
        scratch_dir=str(tmp_path / "scratch"),
        secret_key="a secret",
        development=True,
        allowed_networks="127.0.0.0/8",
        webhook_poll_seconds=0.05,
    )


@pytest.fixture
def sink():
    with WebhookReceiver() as receiver:
        yield receiver


@pytest.fixture
def subscribe(rows, sink):
    """Add an endpoint for these events; the tenant."""

    def call(*events):
        tenant = rows.tenant()
        facts = {"url": sink.url, "events": job_events(events), "dialect": "videogen", "dialect_events": events}
        rows.execute(endpoints.add_webhook(ENDPOINT, tenant, **facts))
        return tenant

    return call


@pytest.fixture
def submit(rows):
    """Add jobs of one execution."""

    def call(tenant, count=1):
        jobs = [rows.submit(tenant) for _ in range(count)]
        origin = {"dialect": "videogen", "tool": "GENERATE_IMAGE"} | ({"group": jobs[0].id} if count > 1 else {})
        for job in jobs:
            rows.set(job, origin=origin)
        return jobs

    return call


def read(received):
    secret = webhook_secret("a secret", ENDPOINT, 1)
    return verify_webhook_signature(received.body, received.headers, secret)


@pytest.mark.contract("D38")
def test_a_success_is_flat_and_its_own_verifier_takes_it(rows, settings, sink, subscribe, submit):
    (job,) = submit(subscribe(*ALL))
    job = rows.complete(rows.claim(rows.server()), ARTIFACT)
    with cpu_worker(settings):
        (received,) = until(lambda: list(sink.received), what="the webhook")
    event = read(received)
    assert {
        "event": "tool_execution.succeeded",
        "occurred_at": int(job.finished_at.timestamp()),
        "tool_execution_id": job.id.replace("job_", "vg_exec_"),
        "tool_type": "GENERATE_IMAGE",
    } == {name: value for name, value in event.items() if name != "results"}
    (result,) = event["results"]
    assert "IMAGE" == result["type"]
    assert f"/o/{job.id}/0.webp?signature=" in result["download_url"]


def test_a_group_is_one_webhook_when_its_last_job_ended(rows, settings, sink, subscribe, submit):
    jobs = submit(subscribe(*ALL), 3)
    claimant = rows.server()
    with cpu_worker(settings):
        rows.complete(rows.claim(claimant), ARTIFACT)
        rows.change(claimed.fail(*_key(rows.claim(claimant)), JobError("pipeline_failed", "It went wrong.")))
        until(lambda: not rows.deliveries(), what="the deliveries of the first two to be dropped")
        rows.complete(rows.claim(claimant), ARTIFACT)
        (received,) = until(lambda: list(sink.received), what="the webhook")
        until(lambda: all(one.delivered_at for one in rows.deliveries()), what="its record")
    event = read(received)
    assert ("tool_execution.failed", jobs[0].id.replace("job_", "vg_exec_"), "It went wrong.") == (
        event["event"],
        event["tool_execution_id"],
        event["error"]["message"],
    )
    assert "results" not in event
    assert 1 == len(sink.received) == len(rows.deliveries())


def test_a_group_that_ended_before_is_one_webhook(rows, settings, sink, subscribe, submit):
    submit(subscribe(*ALL), 3)
    claimant = rows.server()
    for _ in range(3):
        rows.complete(rows.claim(claimant), ARTIFACT)
    with cpu_worker(settings):
        until(lambda: [one.delivered_at is not None for one in rows.deliveries()] == [True], what="one delivery")
    (received,) = sink.received
    assert 3 == len(read(received)["results"])


def test_an_event_that_was_not_asked_for_is_not_sent(rows, settings, sink, subscribe, submit):
    (job,) = submit(subscribe("tool_execution.failed", "file.upload.completed"))
    rows.complete(rows.claim(rows.server()), ARTIFACT)
    (second,) = submit(job.tenant)
    rows.cancel(second)
    assert 2 == len(rows.deliveries())
    with cpu_worker(settings):
        until(lambda: not rows.deliveries(), what="the deliveries to be dropped")
    assert [] == sink.received


def _key(job):
    return job.id, job.fence
