"""The client, against a small real HTTP server with scripted answers."""

import json
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from cli.http import client as module
from cli.http.client import Client, refuse_unwritable
from cli.http.problems import ApiError, ApiUnavailable
from jobs.wire.jobs import ProgressEvent

JOB = {
    "job_id": "job_1", "status": "completed", "modality": "image", "model": "m", "progress": 1.0, "stage": None,
    "queue_position": None, "estimated_seconds": None, "result_url": None, "outputs": [], "warnings": [],
    "error": None, "processing_time_seconds": 1.0, "balance_remaining_usd": None, "server_id": None, "seed": 1,
    "attempt": 1, "created_at": "2026-01-01T00:00:00Z", "started_at": None, "finished_at": None,
    "of_a_newer_api": True,
}  # fmt: skip
ACCEPTED = {
    "job_id": "job_9", "status": "queued", "modality": "image", "model": "m", "seed": 1, "status_url": "/s",
    "events_url": "/e", "created_at": "2026-01-01T00:00:00Z", "of_a_newer_api": True,
}  # fmt: skip


def problem(code: str, detail: str, field: str | None = None) -> dict:
    """Return a problem as the API sends it."""
    shown = {
        "type": f"/problems/{code}",
        "title": code,
        "status": 400,
        "request_id": "r",
        "code": code,
        "detail": detail,
    }
    return shown | ({"field": field} if field else {})


def upload_to(url: str, **fields) -> dict:
    """Return the answer of `POST /inputs/v1`, with an upload link that leads to `url`."""
    return {
        "input_id": "inp_7", "upload_url": url, "method": "PUT", "expires_at": "2026-01-01T00:00:00Z",
        "max_bytes": 1000, **fields,
    }  # fmt: skip


class Api:
    """Scripted answers: for each path a list, of which the last is repeated."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.script = {}
        self.requests = []

    def add(self, path: str, body, status: int = 200) -> None:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.script.setdefault(path, []).append((status, data))

    def answer(self, path: str) -> tuple[int, bytes]:
        answers = self.script[path]
        return answers.pop(0) if len(answers) > 1 else answers[0]


@pytest.fixture
def api():
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            length = int(self.headers.get("content-length", 0))
            script.requests.append((self.path, dict(self.headers), self.rfile.read(length)))
            status, data = script.answer(self.path)
            self.send_response(status)
            if self.path.endswith("/events") and status == 200:
                self.send_header("Content-Type", "text/event-stream")
            self.end_headers()
            self.wfile.write(data)

        do_POST = do_PUT = do_GET

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    script = Api(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield script
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def client(api, monkeypatch):
    monkeypatch.setattr(module, "RECONNECT_SECONDS", 0.0)
    with Client(api.url, "atl_key") as client:
        yield client


def event(number: int, name: str, **fields) -> bytes:
    return f"id: {number}\nevent: {name}\ndata: {json.dumps(fields)}\n\n".encode()


def test_the_key_is_sent_and_unknown_fields_are_ignored(api, client):
    api.add("/jobs/v1/job_1", JOB)
    assert "job_1" == client.job("job_1").job_id
    assert "atl_key" == api.requests[0][1]["X-API-Key"]


def test_a_modality_of_a_newer_api_is_read(api, client):
    limits = dict.fromkeys(("max_prompt_chars", "min_side", "max_side", "max_references"), 1)
    limits |= {"side_multiple": None, "native_sizes": [], "max_seconds": 0.0, "min_voice_seconds": 0.0}
    preset = {"num_inference_steps": None, "guidance_scale": None}
    model = {
        "id": "m", "title": "M", "modality": "of a newer API", "tier": "demo", "available": True, "default": True,
        "capabilities": [], "languages": [], "limits": limits, "defaults": {**preset, "strength": None, "fps": None},
        "quality": {"fast": preset}, "price_usd": 0.0, "estimated_seconds": 1.0, "licence": {"name": "", "url": ""},
    }  # fmt: skip
    api.add("/models/v1", {"models": [model]})
    assert "of a newer API" == client.models()[0].modality


def test_submit_sends_json_and_returns_the_id(api, client):
    api.add("/generate/image/v1", ACCEPTED, 202)
    assert "job_9" == client.submit("/generate/image/v1", {"prompt": "a"}).job_id
    assert {"prompt": "a"} == json.loads(api.requests[0][2])


def test_a_problem_is_raised_with_its_sentence(api, client):
    api.add("/jobs/v1/x", problem("out_of_range", "Too wide.", "$.width"), 422)
    with pytest.raises(ApiError, match=r"^Too wide\. \(field \$\.width\) \[out_of_range\]$") as refusal:
        client.job("x")
    assert not isinstance(refusal.value, ApiUnavailable)


def test_a_problem_of_a_gateway_is_shown_with_its_status(api, client):
    api.add("/models/v1", {"title": "Too many requests", "status": 429, "detail": "Slow down."}, 429)
    with pytest.raises(ApiError, match=r"^Slow down\. \[429\]$"):
        client.models()


def test_an_answer_of_another_form_is_an_error_with_advice(api, client):
    api.add("/models/v1", {"models": [{"id": "m"}]})
    with pytest.raises(ApiError, match=r"/models/v1 answers in another form .*use the CLI of its version$"):
        client.models()


def test_an_error_of_a_proxy_is_shown_as_it_is(api, client):
    api.add("/models/v1", b"<h1>Bad gateway</h1>", 502)
    with pytest.raises(ApiUnavailable, match=r"Bad gateway.* \[502\]"):
        client.models()


def test_an_unreachable_api_is_an_error_with_advice():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    with (
        Client(f"http://127.0.0.1:{port}", "k") as client,
        pytest.raises(ApiUnavailable, match="start one on this machine with `atelier up`"),
    ):
        client.models()


def test_a_stream_is_followed_to_its_terminal_event(api, client):
    stream = b"retry: 1000\n\n" + event(1, "progress", status="queued", queue_position=2, progress=0.0)
    stream += b": keep-alive\n\n"
    stream += event(2, "progress", status="processing", stage="step", progress=0.5)
    api.add("/jobs/v1/job_1/events", stream + event(3, "completed", **JOB))
    seen = list(client.follow("job_1"))
    assert [
        ProgressEvent(status="queued", queue_position=2),
        ProgressEvent(status="processing", progress=0.5, stage="step"),
    ] == seen[:2]
    assert "completed" == seen[-1].status
    assert 3 == len(seen)


def test_an_interrupted_stream_is_resumed_at_its_last_event(api, client):
    api.add("/jobs/v1/job_1/events", event(4, "progress", status="processing", progress=0.1) + b"id: 9\ndata: {")
    api.add("/jobs/v1/job_1/events", problem("database_unavailable", "Away."), 503)
    api.add("/jobs/v1/job_1/events", event(5, "failed", status="failed"))
    api.add("/jobs/v1/job_1", {**JOB, "status": "processing"})
    assert ["processing", "failed"] == [progress.status for progress in client.follow("job_1")]
    resumed = [headers.get("Last-Event-ID") for path, headers, _ in api.requests if path.endswith("events")]
    assert [None, "4", "4"] == resumed


def test_a_204_ends_the_stream_of_an_ended_job(api, client):
    api.add("/jobs/v1/job_1/events", b"", 204)
    api.add("/jobs/v1/job_1", JOB)
    assert [] == list(client.follow("job_1"))


def test_an_id_is_one_part_of_a_path(api, client):
    for path in ("/jobs/v1/a%2F..%2Fb/events", "/jobs/v1/a%2F..%2Fb/cancel", "/jobs/v1/a%2F..%2Fb"):
        api.add(path, problem("unknown_job", "No such job."), 404)
    for ask in (client.job, client.cancel, lambda job_id: next(client.follow(job_id))):
        with pytest.raises(ApiError, match="No such job"):
            ask("a/../b")


def test_following_an_unknown_job_is_an_error(api, client):
    api.add("/jobs/v1/job_1/events", problem("unknown_job", "No such job."), 404)
    with pytest.raises(ApiError, match="No such job"):
        list(client.follow("job_1"))


def test_following_fails_when_the_api_stays_away(api, client, monkeypatch):
    monkeypatch.setattr(module, "PATIENCE_SECONDS", 0.05)
    api.add("/jobs/v1/job_1/events", problem("database_unavailable", "Away."), 503)
    api.add("/jobs/v1/job_1", problem("database_unavailable", "Away."), 503)
    with pytest.raises(ApiUnavailable, match="Away"):
        list(client.follow("job_1"))


def test_a_download_is_requested_without_the_key(api, client, tmp_path):
    api.add("/o/job_1/0.webp?signature=x", b"image")
    client.download(f"{api.url}/o/job_1/0.webp?signature=x", tmp_path / "a.webp")
    assert b"image" == (tmp_path / "a.webp").read_bytes()
    assert "X-API-Key" not in api.requests[0][1]


def test_a_refused_download_leaves_no_file(api, client, tmp_path):
    api.add("/o/x", problem("unknown_output", "Gone."), 404)
    with pytest.raises(ApiError, match="Gone"):
        client.download(f"{api.url}/o/x", tmp_path / "a.webp")
    assert [] == list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "text", ["https://example.org/a.png", "data:image/png;base64,AA==", "inp_" + 32 * "0", "voi_" + 32 * "0"]
)
def test_a_source_that_is_a_url_or_id_is_not_uploaded(api, client, text):
    assert text == client.source(text)
    assert [] == api.requests


def test_a_file_is_uploaded_without_the_key(api, client, tmp_path):
    file = tmp_path / "photo.png"
    file.write_bytes(b"pixels")
    upload = upload_to(f"{api.url}/put?signature=x", headers={"X-Given": "1"})
    api.add("/inputs/v1", upload, 201)
    api.add("/put?signature=x", b"", 200)

    assert "inp_7" == client.source(str(file))

    path, headers, body = api.requests[-1]
    assert ("/put?signature=x", b"pixels", "1", "6") == (path, body, headers["X-Given"], headers["Content-Length"])
    assert "X-API-Key" not in headers


def test_a_refused_upload_is_raised_with_its_sentence(api, client, tmp_path):
    file = tmp_path / "photo.png"
    file.write_bytes(b"pixels")
    api.add("/inputs/v1", upload_to(f"{api.url}/put"), 201)
    api.add("/put", problem("input_too_large", "Too many bytes."), 413)
    with pytest.raises(ApiError, match="Too many bytes"):
        client.source(str(file))


def test_a_missing_file_is_an_error_with_its_name(api, client, tmp_path):
    with pytest.raises(ApiError, match=r"nowhere\.png: No such file"):
        client.source(str(tmp_path / "nowhere.png"))
    assert [] == api.requests


def test_a_text_under_a_locale_of_bytes_is_sent_as_typed(api, client):
    """As under a locale without UTF-8."""
    api.add("/generate/image/v1", ACCEPTED)
    typed = "ein grüner Kreis 😀"
    read = typed.encode().decode("ascii", "surrogateescape")
    client.submit("/generate/image/v1", {"prompt": read, "palette": (read, typed), "seed": 1})
    assert {"prompt": typed, "palette": [typed, typed], "seed": 1} == json.loads(api.requests[0][2])


def test_a_key_that_no_header_can_hold_is_one_sentence():
    with pytest.raises(ApiError, match="ASCII"):
        Client("http://127.0.0.1:9", "schlüssel")


@pytest.mark.parametrize("folder", ["none", "file"])
def test_a_file_that_cannot_be_written_is_one_sentence(api, client, tmp_path, folder):
    (tmp_path / "file").write_text("x")
    target = tmp_path / folder / "a.webp"
    api.add("/o/x", {})
    for write in (lambda: refuse_unwritable(target), lambda: client.download(f"{api.url}/o/x", target)):
        with pytest.raises(ApiError, match=r"a\.webp cannot be written: No"):
            write()


def test_looking_whether_a_file_can_be_written_leaves_none(tmp_path):
    refuse_unwritable(tmp_path / "a.webp")
    assert [] == list(tmp_path.iterdir())


def test_an_api_without_the_route_of_requests_says_nothing(api):
    api.add("/jobs/v1/job_1/request", problem("not_found", "This path does not exist."), 404)
    api.add("/jobs/v1/job_2/request", problem("unknown_job", "This job does not exist."), 404)
    with Client(api.url, "k") as client:
        assert client.job_request("job_1") is None
        with pytest.raises(ApiError, match="unknown_job"):
            client.job_request("job_2")
