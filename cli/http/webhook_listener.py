"""A receiver of webhooks on this machine's loopback, which verifies and prints what comes."""

from collections.abc import Callable, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from types import TracebackType
from typing import Any, Self

import msgspec
from standardwebhooks import Webhook, WebhookVerificationError

MOST_BYTES = 4_000_000
IDLE_SECONDS = 60.0


class ReceivedEvent(msgspec.Struct, frozen=True):
    """A webhook whose signature is right: its `webhook-id`, and its body as JSON."""

    id: str
    body: dict[str, Any]


class WebhookListener:
    """A server on a port of 127.0.0.1, by default a free one; its `with` block ends it.

    `on_event` gets each event once, in a thread of the server; `on_refusal` gets why a request was answered 401.
    A message is accepted when it was signed with one of `secrets`, to which more can be added at any time.
    """

    def __init__(
        self,
        *,
        port: int,
        secrets: Sequence[str],
        on_event: Callable[[ReceivedEvent], None],
        on_refusal: Callable[[str], None],
    ) -> None:
        self.secrets = list(secrets)
        self._on_event = on_event
        self._on_refusal = on_refusal
        self._seen = set[str]()
        self._server = ThreadingHTTPServer(("127.0.0.1", port), self._handler())
        self._thread = Thread(target=self._server.serve_forever, name="listener", daemon=True)

    @property
    def url(self) -> str:
        """The URL of the server."""
        return f"http://127.0.0.1:{self._server.server_port}/"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def receive(self, body: bytes, headers: dict[str, str]) -> int:
        """Take a message whose header names are in small letters; return the status of the answer, 204 or 401."""
        for secret in self.secrets:
            try:
                event: dict[str, Any] = Webhook(secret).verify(body, headers)
            except (WebhookVerificationError, ValueError):
                continue
            if headers["webhook-id"] not in self._seen:  # a delivery may come twice
                self._seen.add(headers["webhook-id"])
                self._on_event(ReceivedEvent(headers["webhook-id"], event))
            return 204
        self._on_refusal(
            f"{headers.get('webhook-id', 'a request without an id')} was refused: it was signed with none of the known"
            " secrets. Callbacks have the tenant's: `atelier webhooks secret` prints it; give it as --secret."
        )
        return 401

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        listener = self

        class Handler(BaseHTTPRequestHandler):
            timeout = IDLE_SECONDS

            def do_POST(self) -> None:
                """Answer a message."""
                length = self.headers.get("content-length", "")
                if not length.isdecimal():
                    status = 411
                elif int(length) > MOST_BYTES:
                    status = 413
                else:
                    headers = {name.lower(): value for name, value in self.headers.items()}
                    status = listener.receive(self.rfile.read(int(length)), headers)
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                """Log nothing: events are printed."""

        return Handler
