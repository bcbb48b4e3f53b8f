"""The Python SDK, against a small real HTTP server with scripted answers: both clients, each test once with each."""

import asyncio
import inspect
import io
import json
import socket
from pathlib import Path

import pytest

from atelier_client import (
    ApiError,
    ApiUnavailable,
    AsyncAtelier,
    Atelier,
    JobCancelled,
    JobFailed,
    JobTimeout,
    UnreadableAnswer,
    calls,
)
from atelier_client.models import ProgressEvent, StepPreview
from tests.support.service.scripted_api import ACCEPTED, JOB, event, problem, scripted_api, upload_to

DONE = event(3, "completed", **JOB)
ESTIMATE = {
    "modality": "remove-background",
    "model": "m",
    "basis": "like",
    "confidence": "high",
    "sample_size": 50,
    "jobs_ahead": 0,
    "waiting_for": None,
    "model_loaded": True,
    "server_id": "gpu-1",
    "device": "cpu",
    "price_usd": 0.0,
    "credits": 0.0,
    "balance_remaining_usd": None,
}
AWAY = problem("database_unavailable", "Away.")


class Blocking:
    """An asynchronous client with the methods of the blocking one, so that one test is for both."""

    def __init__(self, client: AsyncAtelier, runner: asyncio.Runner) -> None:
        self._client, self._runner = client, runner

    def __getattr__(self, name):
        method = getattr(self._client, name)
        if inspect.isasyncgenfunction(method):
            return lambda *args, **fields: self._runner.run(listed(method(*args, **fields)))
        return lambda *args, **fields: self._runner.run(method(*args, **fields))


async def listed(items):
    return [item async for item in items]


@pytest.fixture
def api():
    with scripted_api() as script:
        yield script


@pytest.fixture(params=[Atelier, AsyncAtelier])
def client(request, api, monkeypatch):
    monkeypatch.setattr(calls, "RECONNECT_SECONDS", 0.0)
    if request.param is Atelier:
        with Atelier(api.url, "atl_key") as made:
            yield made
        return
    with asyncio.Runner() as runner:
        made = AsyncAtelier(api.url, "atl_key")
        yield Blocking(made, runner)
        runner.run(made.close())


def sent(api, path):
    return [json.loads(body or b"null") for requested, _, body in api.requests if requested == path]


def test_the_key_is_sent_and_unknown_fields_are_ignored(api, client):
    api.add("/jobs/v1/job_1", JOB)
    assert "job_1" == client.job("job_1").job_id
    assert "atl_key" == api.requests[0][1]["X-API-Key"]


def test_url_and_key_are_those_of_the_environment(api, monkeypatch):
    monkeypatch.setenv("ATELIER_URL", f"{api.url}/")
    monkeypatch.setenv("ATELIER_API_KEY", "atl_env")
    api.add("/jobs/v1/job_1", JOB)
    with Atelier() as client:
        client.job("job_1")
    assert ("/jobs/v1/job_1", "atl_env") == (api.requests[0][0], api.requests[0][1]["X-API-Key"])


def test_a_client_without_a_key_says_where_it_goes(api, monkeypatch):
    monkeypatch.delenv("ATELIER_API_KEY", raising=False)
    api.add("/jobs/v1/job_1", problem("unauthenticated", "Send one as X-API-Key."), 401)
    with Atelier(api.url) as client, pytest.raises(ApiError, match=r"set ATELIER_API_KEY, .* \[unauthenticated\]$"):
        client.job("job_1")


def test_submit_sends_the_fields_and_a_key_of_its_own(api, client):
    api.add("/generate/image/v1", ACCEPTED, 202)
    assert "job_9" == client.submit("image", prompt="a").job_id
    client.submit("image", prompt="a", idempotency_key="order-1")
    assert [{"prompt": "a"}] * 2 == sent(api, "/generate/image/v1")
    first, second = (headers["Idempotency-Key"] for _, headers, _ in api.requests)
    assert (36, "order-1") == (len(first), second)


def test_an_estimate_sends_no_file_and_is_asked_again(api, client):
    seconds = {"p50_seconds": 1.0, "p95_seconds": 2.0}
    api.add("/estimates/v1", AWAY, 503, Retry_After="0")
    api.add("/estimates/v1", ESTIMATE | dict.fromkeys(("wait", "load", "run", "total"), seconds))
    found = client.estimate("remove-background", image_url=Path("chair.jpg"))
    assert (2.0, "high", 50) == (found.run.p95_seconds, found.confidence, found.sample_size)
    assert [{"modality": "remove-background", "image_url": "data:,"}] * 2 == sent(api, "/estimates/v1")


def test_an_unknown_modality_names_those_there_are(client):
    with pytest.raises(ValueError, match="no modality 'picture'; there are: image, video"):
        client.submit("picture", prompt="a")


def test_a_refusal_has_its_code_and_its_field(api, client):
    api.add("/jobs/v1/x", problem("out_of_range", "Too wide.", "$.width"), 422)
    with pytest.raises(ApiError, match=r"^Too wide\. \[out_of_range\]$") as refusal:
        client.job("x")
    error = refusal.value
    assert (422, "out_of_range", "$.width", "r") == (error.status, error.code, error.field, error.request_id)
    assert not isinstance(error, ApiUnavailable)
    assert 1 == len(api.requests)


def test_an_answer_of_another_form_is_an_error(api, client):
    api.add("/models/v1", {"models": [{"id": "m"}]})
    with pytest.raises(UnreadableAnswer, match="/models/v1 answers in another form"):
        client.models()


def test_a_call_is_sent_again_while_the_api_is_away(api, client):
    api.add("/jobs/v1/job_1", AWAY, 503, Retry_After="0")
    api.add("/jobs/v1/job_1", b"<h1>Bad gateway</h1>", 502, Retry_After="0")
    api.add("/jobs/v1/job_1", JOB)
    assert "completed" == client.job("job_1").status
    assert 3 == len(api.requests)


def test_a_submit_is_sent_again_under_the_same_key(api, client):
    api.add("/generate/image/v1", b"", 504, Retry_After="0")
    api.add("/generate/image/v1", ACCEPTED, 202)
    client.submit("image", prompt="a")
    first, second = (headers["Idempotency-Key"] for _, headers, _ in api.requests)
    assert first == second


def test_a_redrive_is_sent_again(api, client):
    """A repeat returns the job that the first made."""
    api.add("/jobs/v1/job_1/redrive", b"", 502, Retry_After="0")
    api.add("/jobs/v1/job_1/redrive", ACCEPTED, 202)
    client.redrive("job_1")
    assert 2 == len(api.requests)


def test_what_may_have_been_done_is_not_sent_again(api, client):
    api.add("/webhooks/v1", b"", 502, Retry_After="0")
    with pytest.raises(ApiUnavailable):
        client.add_webhook("https://example.org/hook")
    assert 1 == len(api.requests)


def test_what_was_not_done_is_sent_again(api, client):
    api.add("/webhooks/v1/w/rotate", problem("rate_limited", "Wait."), 429, Retry_After="0")
    api.add("/webhooks/v1/w/rotate", problem("gone", "Gone."), 404)
    with pytest.raises(ApiError, match="Gone"):
        client.rotate_webhook("w")
    assert 2 == len(api.requests)


def test_an_api_that_stays_away_is_an_error(api, client):
    api.add("/jobs/v1/job_1", AWAY, 503, Retry_After="0")
    with pytest.raises(ApiUnavailable, match=r"^Away\. \[database_unavailable\]$"):
        client.job("job_1")
    assert 4 == len(api.requests)


def test_an_unreachable_api_is_an_error():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        url = f"http://127.0.0.1:{probe.getsockname()[1]}"
    with Atelier(url, "k", retries=0) as client, pytest.raises(ApiUnavailable, match=f"no API answers at {url}"):
        client.models()


def test_a_stream_is_followed_to_its_terminal_event(api, client):
    stream = b"retry: 1000\n\n" + event(1, "progress", status="queued", queue_position=2, progress=0.0)
    stream += b": keep-alive\n\n"
    stream += event(2, "progress", status="processing", stage="step", progress=0.5)
    api.add("/jobs/v1/job_1/events", stream + DONE)
    seen = list(client.subscribe("job_1"))
    assert [
        ProgressEvent(status="queued", queue_position=2),
        ProgressEvent(status="processing", progress=0.5, stage="step"),
    ] == seen[:2]
    assert (3, "completed") == (len(seen), seen[-1].status)


def test_previews_are_asked_for_and_are_not_among_the_events(api, client):
    shown = {"step": 2, "of": 4, "image": "data:image/webp;base64,AA=="}
    preview = b"event: preview\ndata: " + json.dumps(shown).encode() + b"\n\n"
    api.add("/jobs/v1/job_1/events?previews=true", event(1, "progress", status="processing") + preview + DONE)
    api.add("/jobs/v1/job_1", JOB)
    seen = list[StepPreview]()
    events = list(client.subscribe("job_1", on_preview=seen.append))
    assert ["processing", "completed"] == [progress.status for progress in events]
    client.wait("job_1", on_preview=seen.append)
    assert [StepPreview(**shown)] * 2 == seen


def test_an_interrupted_stream_is_resumed_at_its_last_event(api, client):
    api.add("/jobs/v1/job_1/events", event(4, "progress", status="processing", progress=0.1) + b"id: 9\ndata: {")
    api.add("/jobs/v1/job_1/events", AWAY, 503)
    api.add("/jobs/v1/job_1/events", event(5, "failed", status="failed"))
    api.add("/jobs/v1/job_1", {**JOB, "status": "processing"})
    assert ["processing", "failed"] == [progress.status for progress in client.subscribe("job_1")]
    resumed = [headers.get("Last-Event-ID") for path, headers, _ in api.requests if path.endswith("events")]
    assert [None, "4", "4"] == resumed


def test_a_204_ends_the_stream_of_an_ended_job(api, client):
    api.add("/jobs/v1/job_1/events", b"", 204)
    api.add("/jobs/v1/job_1", JOB)
    assert [] == list(client.subscribe("job_1"))


def test_following_fails_when_the_api_stays_away(api, client, monkeypatch):
    monkeypatch.setattr(calls, "PATIENCE_SECONDS", 0.05)
    api.add("/jobs/v1/job_1/events", AWAY, 503)
    api.add("/jobs/v1/job_1", AWAY, 503)
    with pytest.raises(ApiUnavailable, match="Away"):
        list(client.subscribe("job_1"))


def test_a_job_is_made_and_its_progress_told(api, client):
    api.add("/generate/3d/v1", ACCEPTED, 202)
    api.add("/jobs/v1/job_9/events", event(1, "progress", status="processing", progress=0.5) + DONE)
    api.add("/jobs/v1/job_9", JOB)
    seen = []
    assert "completed" == client.mesh(image_path="https://example.org/a.png", on_progress=seen.append).status
    assert [0.5, 1.0] == [one.progress for one in seen]


@pytest.mark.parametrize(("status", "error"), [("failed", JobFailed), ("cancelled", JobCancelled)])
def test_a_job_that_did_not_complete_is_an_error(api, client, status, error):
    ended = {**JOB, "status": status, "error": {"code": "job_deadline_exceeded", "message": "Too late."}}
    api.add("/jobs/v1/job_1/events", event(3, status, **ended))
    api.add("/jobs/v1/job_1", ended)
    with pytest.raises(error, match="job_1") as raised:
        client.wait("job_1")
    assert "job_deadline_exceeded" == raised.value.job.error.code


def test_waiting_ends_after_the_time_that_was_given(api, client):
    api.add("/jobs/v1/job_1/events", event(1, "progress", status="queued"))
    api.add("/jobs/v1/job_1", {**JOB, "status": "queued"})
    with pytest.raises(JobTimeout, match=r"job_1 has not ended after 0\.1 s") as raised:
        client.wait("job_1", timeout=0.1)
    assert "job_1" == raised.value.job_id


def test_an_id_is_one_part_of_a_path(api, client):
    for path in ("/jobs/v1/a%2F..%2Fb/events", "/jobs/v1/a%2F..%2Fb/cancel", "/jobs/v1/a%2F..%2Fb"):
        api.add(path, problem("unknown_job", "No such job."), 404)
    for ask in (client.job, client.cancel, lambda job_id: list(client.subscribe(job_id))):
        with pytest.raises(ApiError, match="No such job"):
            ask("a/../b")


def test_jobs_are_read_page_by_page(api, client):
    api.add("/jobs/v1?limit=100&status=failed", {"jobs": [JOB, JOB], "next_cursor": "more"})
    api.add("/jobs/v1?limit=100&cursor=more&status=failed", {"jobs": [JOB], "next_cursor": None})
    assert 3 == len(list(client.all_jobs(status="failed")))


def test_a_download_is_requested_without_the_key(api, client, tmp_path):
    api.add("/o/job_1/0.webp?signature=x", b"image")
    target = tmp_path / "a.webp"
    assert target == client.download(f"{api.url}/o/job_1/0.webp?signature=x", target)
    assert b"image" == target.read_bytes()
    assert "X-API-Key" not in api.requests[0][1]


def test_a_sound_is_read_with_the_key(api, client):
    api.add("/jobs/v1/job_1/sound", b"good morning")
    assert b"good morning" == b"".join(client.listen("job_1"))
    assert "X-API-Key" in api.requests[0][1]


def test_a_job_without_sound_says_why(api, client):
    api.add("/jobs/v1/job_1/sound", problem("no_sound", "It failed."), 409)
    with pytest.raises(ApiError, match="It failed"):
        list(client.listen("job_1"))


def test_a_refused_download_leaves_no_file(api, client, tmp_path):
    api.add("/o/x", problem("unknown_output", "Gone."), 404)
    with pytest.raises(ApiError, match="Gone"):
        client.download(f"{api.url}/o/x", tmp_path / "a.webp")
    assert [] == list(tmp_path.iterdir())


def test_local_files_of_a_submit_are_uploaded_once_each(api, client, tmp_path):
    file = tmp_path / "photo.png"
    file.write_bytes(b"pixels")
    api.add("/inputs/v1", upload_to(f"{api.url}/put?signature=x", headers={"X-Given": "1"}), 201)
    api.add("/put?signature=x", b"", 200)
    api.add("/generate/image/v1", ACCEPTED, 202)

    client.submit("image", prompt="a", input_image=file, reference_images=[file, "https://example.org/b.png"])

    path, headers, body = api.requests[1]
    assert ("/put?signature=x", b"pixels", "1", "6") == (path, body, headers["X-Given"], headers["Content-Length"])
    assert "X-API-Key" not in headers
    named = {"input_image": "inp_7", "reference_images": ["inp_7", "https://example.org/b.png"]}
    assert [{"prompt": "a"} | named] == sent(api, "/generate/image/v1")


def test_an_open_file_is_uploaded(api, client):
    api.add("/inputs/v1", upload_to(f"{api.url}/put"), 201)
    api.add("/put", b"", 200)
    assert "inp_7" == client.upload(io.BytesIO(b"pixels"))
    assert b"pixels" == api.requests[-1][2]


def test_a_refused_upload_is_raised_with_its_sentence(api, client):
    api.add("/inputs/v1", upload_to(f"{api.url}/put"), 201)
    api.add("/put", problem("input_too_large", "Too many bytes."), 413)
    with pytest.raises(ApiError, match="Too many bytes"):
        client.upload(io.BytesIO(b"pixels"))
