"""The callback of a job is in the wire format of its submit; an endpoint gets the native one."""

import pytest
from standardwebhooks import Webhook

from core.settings import Settings
from core.signing import webhook_secret
from jobs.statements.webhooks import endpoints
from tests.support.rows.rows import ARTIFACT
from tests.support.servers.webhook_receiver import WebhookReceiver
from tests.support.service.cpu_worker import cpu_worker
from tests.support.wait import until

ENDPOINT = "whk_" + "2" * 32


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


@pytest.mark.contract("C5")
def test_an_imagepipeline_callback_is_flat_and_signed(rows, settings, sink):
    tenant = rows.tenant()
    rows.execute(endpoints.add_webhook(ENDPOINT, tenant, url=f"{sink.url}/all", events=["job.completed"]))
    job = rows.submit(tenant, callback_url=f"{sink.url}/one")
    rows.set(job, origin={"dialect": "imagepipeline"})
    job = rows.complete(rows.claim(rows.server()), ARTIFACT)
    with cpu_worker(settings):
        until(lambda: len(sink.received) == 2, what="both webhooks")
    received = {one.path: one for one in sink.received}
    callback = received["/hook/one"]
    assert callback.data == Webhook(webhook_secret("a secret", tenant, 1)).verify(callback.body, callback.headers)
    assert {
        "job_id": job.id,
        "user_id": tenant,
        "status": "completed",
        "timestamp": int(job.finished_at.timestamp()),
        "result_mime_type": ARTIFACT.media_type,
        "result_size_bytes": ARTIFACT.bytes,
    } == {name: value for name, value in callback.data.items() if name != "result_url"}
    assert f"/o/{job.id}/0.webp?signature=" in callback.data["result_url"]
    assert ("job.completed", job.id) == (
        received["/hook/all"].data["type"],
        received["/hook/all"].data["data"]["job_id"],
    )


@pytest.mark.long
def test_a_cancelled_job_is_a_failed_one_for_imagepipeline(rows, settings, sink):
    job = rows.submit(rows.tenant(), callback_url=sink.url)
    rows.set(job, origin={"dialect": "imagepipeline"})
    rows.cancel(job)
    with cpu_worker(settings):
        (received,) = until(lambda: list(sink.received), what="the webhook")
    assert ("failed", "CANCELLED", False) == (
        received.data["status"],
        received.data["failure_reason_code"],
        received.data["retryable"],
    )
    assert "result_url" not in received.data
