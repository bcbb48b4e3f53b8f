"""A server that speaks OpenAI's images and speech, on loopback, and misbehaves on request."""

import base64
import io
import json
import threading
import wave
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from typing import Any

import numpy as np
from PIL import Image

from tests.support.servers.quiet_server import QuietServer

KEY = "sk-of-the-backend"


class OpenAIBackend:
    """Answers with pictures of one color and with a tone. A context manager.

    `requests` are the paths and bodies of POSTs, in order; `open` is how many are being answered. `refusals` are
    answers, status and body, that it gives first; with 503 it also falls ill. While `is_ill`, all else is answered with
    503; while `is_held`, POSTs wait until their client has gone, or `let_go`. `picture` and `sound` are what it sends.
    """

    def __init__(self, port: int = 0) -> None:
        self.requests: list[tuple[str, Any]] = []
        self.refusals: list[tuple[int, dict[str, Any]]] = []
        self.models = ["picture-maker", "speaker"]
        self.is_held = False
        self.is_ill = False
        self.open = 0
        self.picture: Callable[[int, int], bytes] = png
        self.sound = tone()
        self._counting = threading.Lock()
        self._let_go = threading.Event()
        backend = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if not self._refuse_strangers():
                    listed = {"data": [{"id": model} for model in backend.models]}
                    self._send(503 if backend.is_ill else 200, listed)

            def do_POST(self) -> None:
                content = self.rfile.read(int(self.headers.get("content-length", 0)))
                if self._refuse_strangers():
                    return
                is_json = self.headers["content-type"].startswith("application/json")
                with backend._counting:
                    backend.requests.append((self.path, json.loads(content) if is_json else content))
                    backend.open += 1
                try:
                    self._answer(json.loads(content) if is_json else {})
                finally:
                    with backend._counting:
                        backend.open -= 1

            def _answer(self, body: dict[str, Any]) -> None:
                if backend.is_held:
                    self.connection.settimeout(0.05)
                    while not backend._let_go.is_set():
                        try:
                            if not self.connection.recv(1):
                                return  # the client has gone
                        except TimeoutError:
                            continue
                    self.connection.settimeout(None)
                if backend.refusals:
                    status, refusal = backend.refusals.pop(0)
                    backend.is_ill = backend.is_ill or status == 503
                    self._send(status, refusal)
                elif backend.is_ill:  # a claim that was under way as it fell ill brings the job once more
                    self._send(503, {"error": {"message": "still ill"}})
                elif self.path.endswith("/audio/speech"):
                    self._send_bytes(200, backend.sound, "audio/wav")
                else:
                    width, height = map(int, body.get("size", "64x64").split("x"))
                    one = {"b64_json": base64.b64encode(backend.picture(width, height)).decode()}
                    self._send(200, {"created": 1, "data": [one] * int(body.get("n", 1))})

            def _refuse_strangers(self) -> bool:
                if self.headers.get("authorization") == f"Bearer {KEY}":
                    return False
                self._send(401, {"error": {"message": "Incorrect API key provided"}})
                return True

            def _send(self, status: int, body: dict[str, Any]) -> None:
                self._send_bytes(status, json.dumps(body).encode(), "application/json")

            def _send_bytes(self, status: int, body: bytes, media_type: str) -> None:
                self.send_response(status)
                self.send_header("content-type", media_type)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = QuietServer(("127.0.0.1", port), Handler)
        self.port = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}/v1"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})

    def __enter__(self) -> "OpenAIBackend":
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.let_go()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def let_go(self) -> None:
        """Answer the POSTs that are held."""
        self.is_held = False
        self._let_go.set()


def png(width: int, height: int) -> bytes:
    """A picture of one color."""
    file = io.BytesIO()
    Image.new("RGB", (width, height), (200, 30, 40)).save(file, "PNG")
    return file.getvalue()


def tone(seconds: float = 0.5, rate: int = 24_000) -> bytes:
    """A recording that is not silent."""
    samples = (8000 * np.sin(np.arange(int(seconds * rate)) * 0.1)).astype("<i2")
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(rate)
        out.writeframes(samples.tobytes())
    return file.getvalue()
