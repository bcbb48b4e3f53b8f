"""A small real HTTP server with scripted answers, for tests of clients."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

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


class ScriptedApi:
    """Scripted answers: for each path a list, of which the last is repeated."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.script: dict[str, list[tuple[int, bytes, dict[str, str]]]] = {}
        self.requests: list[tuple[str, dict[str, str], bytes]] = []

    def add(self, path: str, body: Any, status: int = 200, **headers: str) -> None:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.script.setdefault(path, []).append((status, data, headers))

    def answer(self, path: str) -> tuple[int, bytes, dict[str, str]]:
        answers = self.script[path]
        return answers.pop(0) if len(answers) > 1 else answers[0]


@contextmanager
def scripted_api() -> Iterator[ScriptedApi]:
    """A server on loopback; its `with` block ends it."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            length = int(self.headers.get("content-length", 0))
            script.requests.append((self.path, dict(self.headers), self.rfile.read(length)))
            status, data, headers = script.answer(self.path)
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name.replace("_", "-"), value)
            if self.path.partition("?")[0].endswith("/events") and status == 200:
                self.send_header("Content-Type", "text/event-stream")
            self.end_headers()
            self.wfile.write(data)

        do_POST = do_PUT = do_PATCH = do_DELETE = do_GET

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    script = ScriptedApi(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield script
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def event(number: int, name: str, **fields: Any) -> bytes:
    """Return a server-sent event."""
    return f"id: {number}\nevent: {name}\ndata: {json.dumps(fields)}\n\n".encode()
