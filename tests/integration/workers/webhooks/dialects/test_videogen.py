"""VideoGen's webhooks: flat, signed for its own verifier, one for each execution, and those of files."""

import msgspec
import pytest
from videogen import verify_webhook_signature

from core.ids import new_id
from core.settings import Settings
from core.signing import webhook_secret
from core.storage.store import open_store
from jobs.job import JobError
from jobs.media import folder_of
from jobs.statements.media import library
from jobs.statements.media_events import add_output_events
from jobs.statements.queue import claimed
from jobs.statements.webhooks import endpoints
from jobs.wire.dialects.videogen_events import job_events
from tests.support.media.recordings import tone
from tests.support.rows.rows import ARTIFACT
from tests.support.servers.webhook_receiver import WebhookReceiver
from tests.support.service.cpu_worker import cpu_worker
from tests.support.wait import until

ENDPOINT = "whk_" + "2" * 32
FILES = ["file.upload.completed", "file.upload.failed", "file.playback_ready", "file.download_ready"]
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
        input_poll_seconds=0.05,
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


@pytest.fixture
def upload(rows, settings, tmp_path):
    """Add a file as its sender leaves it; its id."""

    def call(tenant, content, **values):
        media_id = new_id("med")
        key = f"{folder_of(tenant, media_id)}raw"
        values = {"status": "waiting", "source": "upload", "key": key} | values
        (tmp_path / "source").write_bytes(content)
        open_store(settings).put(key, tmp_path / "source", "application/octet-stream")
        rows.execute(library.add_media(media_id, tenant, values, max_items=10, max_bytes=10**9, bytes_each=1000))
        return media_id.replace("med", "vg_file")

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


@pytest.mark.long
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


@pytest.mark.long
def test_a_group_that_ended_before_is_one_webhook(rows, settings, sink, subscribe, submit):
    submit(subscribe(*ALL), 3)
    claimant = rows.server()
    for _ in range(3):
        rows.complete(rows.claim(claimant), ARTIFACT)
    with cpu_worker(settings):
        until(lambda: [one.delivered_at is not None for one in rows.deliveries()] == [True], what="one delivery")
    (received,) = sink.received
    assert 3 == len(read(received)["results"])


@pytest.mark.long
def test_an_event_that_was_not_asked_for_is_not_sent(rows, settings, sink, subscribe, submit):
    (job,) = submit(subscribe("tool_execution.failed", "file.upload.completed"))
    rows.complete(rows.claim(rows.server()), ARTIFACT)
    (second,) = submit(job.tenant)
    rows.cancel(second)
    assert 2 == len(rows.deliveries())
    with cpu_worker(settings):
        until(lambda: not rows.deliveries(), what="the deliveries to be dropped")
    assert [] == sink.received


@pytest.mark.contract("D38")
def test_an_upload_sends_its_events_in_order(rows, settings, sink, subscribe, upload):
    file_id = upload(subscribe(*FILES), tone(1), filename="tone.wav")
    with cpu_worker(settings):
        received = until(lambda: sink.received[:] if len(sink.received) == 3 else None, 30, "three events")
    events = [read(one) for one in received]
    assert ["file.upload.completed", "file.download_ready", "file.playback_ready"] == [one["event"] for one in events]
    for event in events:
        assert {"event", "occurred_at", "file_id", "file"} == set(event)
        assert file_id == event["file_id"] == event["file"]["file_id"]
        assert ("AUDIO", "tone.wav", "ready") == (
            event["file"]["type"],
            event["file"]["display_name"],
            event["file"]["download_source"]["status"],
        )


@pytest.mark.long
def test_an_upload_that_is_not_of_its_kind_has_failed(rows, settings, sink, subscribe, upload):
    upload(subscribe("file.upload.completed", "file.upload.failed"), tone(0.1), kind="image")
    with cpu_worker(settings):
        (received,) = until(lambda: list(sink.received), 30, "the webhook")
    event = read(received)
    assert ("file.upload.failed", "failed", "file_failed", "media_type_mismatch") == (
        event["event"],
        event["file"]["download_source"]["status"],
        event["error"]["code"],
        event["error"]["internal_error_code"],
    )


@pytest.mark.long
def test_files_of_a_tool_send_events_of_their_own(rows, settings, sink, subscribe, submit):
    (job,) = submit(subscribe("file.download_ready"))
    rows.complete(rows.claim(rows.server()), ARTIFACT, msgspec.structs.replace(ARTIFACT, key="ten/job/1/cd.webp"))
    with cpu_worker(settings):
        received = until(lambda: sink.received[:] if len(sink.received) == 2 else None, what="two events")
        until(lambda: all(one.delivered_at for one in rows.deliveries()), what="their record")
    events = [read(one) for one in received]
    assert ["file.download_ready"] * 2 == [one["event"] for one in events]
    assert 2 == len({one["file_id"] for one in events})
    assert {job.id.replace("job_", "vg_exec_")} == {one["file"]["source_tool_execution_id"] for one in events}


@pytest.mark.long
def test_events_of_files_are_added_once_and_dropped_with_them(rows, settings, sink, subscribe, submit):
    submit(subscribe("file.download_ready"))
    rows.complete(rows.claim(rows.server()), ARTIFACT)
    (delivery,) = rows.deliveries()
    due = [(new_id("med"), "file.download_ready")]  # of a file that is deleted by now
    for _ in range(2):  # as by another attempt of the same delivery
        rows.execute(add_output_events(delivery, due))
    assert 2 == len(rows.deliveries())
    with cpu_worker(settings):
        until(lambda: [one.delivered_at is not None for one in rows.deliveries()] == [True], what="one delivery")
    assert 1 == len(sink.received)


def _key(job):
    return job.id, job.fence
