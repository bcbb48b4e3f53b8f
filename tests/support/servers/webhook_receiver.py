"""A receiver of webhooks: a real HTTP server that writes down what it gets and answers as the test says."""

import socket
import ssl
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import msgspec

from tests.support.servers.quiet_server import QuietServer


class Received(msgspec.Struct, frozen=True):
    """One request: header names are in small letters."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        """The webhook's id."""
        return self.headers["webhook-id"]

    @property
    def data(self) -> Any:
        """The body as JSON."""
        return msgspec.json.decode(self.body)


class Reply(msgspec.Struct, frozen=True):
    """What to answer; `before` runs before it, `after` before the connection is closed. `date` is its own, else now."""

    status: int = 200
    headers: dict[str, str] = {}
    body: bytes = b"ok"
    date: str | None = None
    before: Callable[[], object] = lambda: None
    after: Callable[[], object] = lambda: None


class WebhookReceiver:
    """Answers each request with the next of `replies`, and with 200 once there are none. A context manager.

    A path that is in `reply_to` always has that answer.
    """

    def __init__(self, *, host: str = "127.0.0.1", certificate: Path | None = None) -> None:
        self.received: list[Received] = []
        self.replies: list[Reply] = []
        self.reply_to: dict[str, Reply] = {}
        sink = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers["content-length"])
                body = self.rfile.read(length)
                if len(body) < length:  # its sender was killed
                    self.close_connection = True
                    return
                headers = {name.lower(): value for name, value in self.headers.items()}
                sink.received.append(Received(self.path, headers, body))
                reply = sink.reply_to.get(self.path) or (sink.replies.pop(0) if sink.replies else Reply())
                reply.before()
                self.send_response_only(reply.status)
                self.send_header("date", reply.date or self.date_time_string())
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                if "content-length" not in reply.headers:
                    self.send_header("content-length", str(len(reply.body)))
                self.end_headers()
                self.wfile.write(reply.body)
                reply.after()

            do_GET = do_POST

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = QuietServer((host, 0), Handler)
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.port = int(self._server.server_address[1])
        self.url = f"{'http' if certificate is None else 'https'}://{host}:{self.port}/hook"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self) -> "WebhookReceiver":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class Tarpit:
    """A receiver that takes connections and never answers. A context manager."""

    def __init__(self, host: str = "127.0.0.1") -> None:
        self._socket = socket.create_server((host, 0), backlog=256)
        self.url = f"http://{host}:{self._socket.getsockname()[1]}/hook"

    def __enter__(self) -> "Tarpit":
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()
