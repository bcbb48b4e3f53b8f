"""One connection: uvicorn's HTTP/1.1 on h11, with bounds in bytes, time and number.

h11 bounds what it holds of an unfinished head, chunk header or trailer, and reads a request that offers an upgrade as
HTTP/1.1. What uvicorn adds to it has no bounds in time: a sweep once a second asks each connection how long it has been
in its phase, which costs a request nothing.

A plain request (`api.server.plain_request`) is read and answered without h11, which is idle meanwhile.
"""

import asyncio
import math
import sys
from typing import Any

import h11
import msgspec
from uvicorn.protocols.http.h11_impl import STATUS_PHRASES, H11Protocol

from api.http.problems import MEDIA_TYPE, error_headers, problem_details
from api.http.request_ids import HEADER
from api.server.connections import OpenConnections
from api.server.gathering import GatheringTransport
from api.server.plain_request import PlainCycle, PlainHead, read_head, scope_of
from core.errors.base import AtelierError
from core.errors.http import HeadTooLarge, MalformedRequest, RequestTimedOut
from core.errors.unavailable import TooManyConnections
from core.ids import new_id
from core.metrics import HTTP_REQUESTS, OTHER
from core.settings import Settings
from jobs.wire.links import public_path

SLICE = 16_384
"""Bytes of a head that are parsed at once, so that its bound is exact to that."""
LEAST_RATE = 100_000
"""Bytes a second that a body must bring on average, once its first seconds are over."""
FREE_CHUNKS, LEAST_CHUNK = 2000, 128
"""Chunks that any body may have, and bytes that it must bring for each one more: h11 spends as much on a chunk of one
byte as on a large one."""
LINGER_SECONDS, LINGER_BYTES = 2.0, 2_000_000
"""How long, and how much of, what still arrives after a refusal is dropped: closing at once would reset the connection
and take the refusal away with it."""


class TooManyChunks(h11.RemoteProtocolError):
    """A body in many small chunks."""


class BoundedConnection(h11.Connection):
    """h11's reading of a connection, with a bound on the chunks of a body."""

    def __init__(self, head_limit: int) -> None:
        super().__init__(h11.SERVER, head_limit)
        self._chunks = self._bytes = 0

    def next_event(self) -> Any:
        """Return the next event. Raises `TooManyChunks`, beside what h11 raises."""
        event = super().next_event()
        if isinstance(event, h11.Request):
            self._chunks = self._bytes = 0
        elif isinstance(event, h11.Data):
            self._chunks += event.chunk_start
            self._bytes += len(event.data)
            if self._chunks > FREE_CHUNKS + self._bytes // LEAST_CHUNK:
                raise TooManyChunks("a body in many small chunks")
        return event


class BoundedProtocol(H11Protocol):
    """A connection that is refused, with a problem, once it is too long, too slow or one too many."""

    def __init__(self, *, settings: Settings, open_connections: OpenConnections, **uvicorns: Any) -> None:
        super().__init__(**uvicorns)
        self.conn = BoundedConnection(settings.head_limit)
        self._settings = settings
        self._open_connections = open_connections
        self._phase: object = None
        self._since = 0.0
        self._received = self._received_before = 0
        self._drops_until: float | None = None
        self._drops_most = 0
        self._missing: int | None = None
        """Bytes of the body of a plain request that have not arrived; None while no plain request is in progress."""
        self._ahead = b""

    @property
    def waiting(self) -> bool:
        """Whether no request is in progress: a head may have begun, but none was read whole."""
        return self._drops_until is None and self._their_state is h11.IDLE and self.conn.our_state is h11.IDLE

    @property
    def _their_state(self) -> Any:
        """What the client is at, in the words of h11."""
        if self._missing is None:
            return self.conn.their_state
        return h11.SEND_BODY if self._missing else h11.DONE

    @property
    def _kept_alive(self) -> bool:
        """Whether a request was answered, and nothing of a next one has come."""
        cycle: Any = self.cycle  # None before the first request
        return cycle is not None and self.waiting and not self.conn.trailing_data[0]

    def give_way(self) -> None:
        """Close it in favor of another connection."""
        self.transport.close()

    def connection_made(self, transport: Any) -> None:
        """Admit or refuse the connection."""
        super().connection_made(GatheringTransport(transport, self.loop))  # type: ignore[arg-type]
        if not self._open_connections.admit(self, self.client[0] if self.client else ""):
            self.refuse(TooManyConnections())
            self.transport.close()  # without lingering: it is not counted

    def connection_lost(self, exc: Exception | None) -> None:
        """Count it no longer."""
        self._open_connections.discard(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse what arrives, a head piece by piece; drop what follows a refusal."""
        self._received += len(data)
        if self._drops_until is not None:
            if self._received - self._received_before > self._drops_most:
                self.transport.abort()
            return
        if self._missing is not None:
            data = self._receive_body(data)
        if data:
            self._receive_requests(data)

    def _receive_requests(self, data: bytes) -> None:
        if self.waiting and not self.conn.trailing_data[0]:
            head = read_head(data, self._settings.head_limit)
            if head is not None:
                self._begin(head, data[head.end :])
                return
        while self._drops_until is None and self.conn.their_state is h11.IDLE and len(data) > SLICE:
            super().data_received(data[:SLICE])
            data = data[SLICE:]
        if self._drops_until is None:
            super().data_received(data)

    def _begin(self, head: PlainHead, body: bytes) -> None:
        """Begin a plain request, as uvicorn begins one that h11 has read."""
        self.headers = head.headers
        self.scope = scope_of(head, self.asgi_version)
        self.scope |= {"server": self.server, "client": self.client, "scheme": self.scheme or "http"}
        self.scope["state"] = self.app_state.copy()
        self.cycle = PlainCycle(
            scope=self.scope,
            conn=self.conn,
            transport=self.transport,
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=self.access_log,
            default_headers=self.server_state.default_headers,
            message_event=asyncio.Event(),
            on_response=self.on_response_complete,
        )
        self._missing = head.length
        self._receive_body(body)
        task = self.loop.create_task(self.cycle.run_asgi(self.app))
        task.add_done_callback(self.tasks.discard)
        self.tasks.add(task)

    def _receive_body(self, data: bytes) -> bytes:
        """Take the body of a plain request; return what follows, which waits where it comes before the answer."""
        body, data = data[: self._missing], data[self._missing :]
        self._missing = (self._missing or 0) - len(body)
        if not self.cycle.response_complete:
            if body or self.cycle.more_body:
                self.cycle.body += body
                self.cycle.more_body = self._missing > 0
                self.cycle.message_event.set()
            if data:  # of which the route learns nothing: each of its receives would read on
                self._ahead += data
                self.flow.pause_reading()
            return b""
        if not self._missing:
            self._missing = None  # of a body that its route did not read: the next request may begin
        return data

    def on_response_complete(self) -> None:
        """Go on with the next request; a long body that no route has read to its end is not parsed for that.

        The time for which a connection is kept is asked by the sweep, like all others: a request sets no timer.
        """
        unread = self.conn.their_state is h11.SEND_BODY and body_length(self.headers) > LINGER_BYTES
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self._missing == 0:
            self._missing = None
            data, self._ahead = self._ahead, b""
            if data:
                self._receive_requests(data)
        elif self.conn.our_state is h11.DONE and self.conn.their_state is h11.DONE:
            self.conn.start_next_cycle()
            self.handle_events()
        if unread:
            self._drop(self._settings.body_seconds, self._settings.media_body_limit + LINGER_BYTES)

    def close_if_overdue(self, now: float) -> None:
        """Close the connection if it has been in its phase for too long; asked once a second."""
        if self._drops_until is not None:
            if now > self._drops_until:
                self.transport.abort()
            return
        unsent = self.transport.get_write_buffer_size() if self.flow.write_paused else 0
        phase = (self._their_state, self.cycle, self._kept_alive, self.flow.read_paused, unsent)
        if phase != self._phase:
            self._phase, self._since, self._received_before = phase, now, self._received
        elif unsent and now > self._since + self._settings.send_seconds:
            self.transport.abort()
        elif now > self._since + self._seconds_to_receive():
            self.refuse(RequestTimedOut()) if self._received and not self._kept_alive else self.transport.close()

    def _seconds_to_receive(self) -> float:
        """Return how long the client may take over the phase; without an end where it is not its turn."""
        if self._their_state is h11.IDLE:
            return self.timeout_keep_alive if self._kept_alive else self._settings.head_seconds
        if self._their_state is h11.SEND_BODY and not self.flow.read_paused:
            return self._settings.body_seconds + (self._received - self._received_before) / LEAST_RATE
        return math.inf

    def send_400_response(self, msg: str) -> None:
        """Refuse what h11 cannot read; uvicorn calls this where it catches the error."""
        error = sys.exception()
        if isinstance(error, TooManyChunks):
            self.refuse(MalformedRequest("The body comes in too many small chunks; send larger ones."))
        elif getattr(error, "error_status_hint", 400) == HeadTooLarge.status:
            self.refuse(HeadTooLarge())
        else:
            self.refuse(MalformedRequest())

    def refuse(self, error: AtelierError) -> None:
        """Answer `error`, unless an answer has begun, and close once the client can have read it."""
        if self._drops_until is not None:
            return
        cycle: Any = self.cycle  # None before the first request
        if cycle is not None and not cycle.response_complete:
            cycle.disconnected = True
            cycle.message_event.set()
        began = self._missing is not None and self.cycle.response_started  # without h11
        if began or self.conn.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            self.transport.close()
            return
        HTTP_REQUESTS.labels(OTHER, OTHER, error.status).inc()
        self.transport.write(self._rendered(error))
        self._drop(LINGER_SECONDS, LINGER_BYTES)

    def shutdown(self) -> None:
        """Begin to drain: end at once what was refused, and otherwise do as uvicorn does."""
        if self._drops_until is None:
            super().shutdown()
        else:
            self.transport.abort()

    def _drop(self, seconds: float, most: int) -> None:
        """Send no more, and drop what arrives until the client closes the connection or reaches a bound."""
        self._drops_until, self._drops_most, self._received_before = self.loop.time() + seconds, most, self._received
        self.flow.resume_reading()
        if not self.transport.is_closing():
            self.transport.write_eof()

    def _rendered(self, error: AtelierError) -> bytes:
        request_id = new_id("req")
        type_ = public_path(self._settings, f"/problems/{error.code}")
        body = msgspec.json.encode(problem_details(error, request_id, type_))
        headers = {
            "Content-Type": MEDIA_TYPE,
            "Content-Length": len(body),
            HEADER: request_id,
            "Connection": "close",
            **error_headers(error),
        }
        lines = (f"{name}: {value}\r\n" for name, value in headers.items())
        status = f"HTTP/1.1 {error.status} {STATUS_PHRASES[error.status].decode()}\r\n"
        return (status + "".join(lines) + "\r\n").encode() + body

    def _should_upgrade(self) -> bool:
        """Return False: every offer of another protocol is ignored, without uvicorn's warnings (RFC 9110, 7.8)."""
        return False


def body_length(headers: list[tuple[bytes, bytes]]) -> float:
    """Return the Content-Length of a request, infinity for a chunked body."""
    found = dict(headers)
    return math.inf if b"transfer-encoding" in found else int(found.get(b"content-length", 0))
