"""A host of media: a real HTTP server that serves bytes by path, and misbehaves on request."""

import io
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from typing import Any

import msgspec
import numpy as np
from PIL import Image

from tests.support.servers.quiet_server import QuietServer


class Reply(msgspec.Struct, frozen=True):
    """What a path answers. `length` is what Content-Length says: None for the truth, "" for none at all.

    `dribble` sends one byte of the body every so many seconds; `cut` closes the connection after so many bytes;
    `before` runs before anything is sent.
    """

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = {}
    length: str | None = None
    dribble: float = 0.0
    cut: int | None = None
    before: Callable[[], object] = lambda: None


class MediaServer:
    """Serves `replies` by path, 404 for any other; `requests` are the paths asked for, in order. A context manager."""

    def __init__(self, *, host: str = "127.0.0.1") -> None:
        self.replies: dict[str, Reply | list[Reply]] = {}
        self.requests: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.open = 0
        self._counting = threading.Lock()
        self._closing = threading.Event()
        media = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                with media._counting:
                    media.requests.append(self.path)
                    media.headers.append({name.lower(): value for name, value in self.headers.items()})
                    media.open += 1
                try:
                    self._answer(media._reply(self.path))
                finally:
                    with media._counting:
                        media.open -= 1

            def _answer(self, reply: Reply) -> None:
                reply.before()
                self.send_response(reply.status)
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                length = str(len(reply.body)) if reply.length is None else reply.length
                if length:
                    self.send_header("content-length", length)
                self.end_headers()
                if reply.dribble:
                    self._dribble(reply)
                else:
                    self.wfile.write(reply.body[: reply.cut])
                self.close_connection = True

            def _dribble(self, reply: Reply) -> None:
                for place in range(len(reply.body[: reply.cut])):
                    self.wfile.write(reply.body[place : place + 1])
                    if media._closing.wait(reply.dribble):
                        return

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = QuietServer((host, 0), Handler)
        self.port = int(self._server.server_address[1])
        self.url = f"http://{host}:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    def serve(self, path: str, body: bytes = b"", **more: Any) -> str:
        """Answer `path` with these bytes from now on; returns its URL."""
        self.replies[path] = Reply(body=body, **more)
        return self.url + path

    def _reply(self, path: str) -> Reply:
        found = self.replies.get(path, Reply(status=404))
        if isinstance(found, list):
            with self._counting:
                return found.pop(0) if len(found) > 1 else found[0]
        return found

    def __enter__(self) -> "MediaServer":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()


def png(seed: int = 0, width: int = 16, height: int = 16) -> bytes:
    """A PNG of noise."""
    return encoded(Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)))


def encoded(image: Image.Image, format: str = "PNG", **options: Any) -> bytes:
    """A picture as the bytes of a file."""
    file = io.BytesIO()
    image.save(file, format, **options)
    return file.getvalue()
