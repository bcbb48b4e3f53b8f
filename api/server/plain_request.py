"""Plain requests, which nearly all are: read in one pass, and answered without h11.

A plain request is HTTP/1.1 in the most ordinary form, whose head arrives in one piece. Of all that can be written in
another way, nothing is read here: h11 reads it, and decides whether it is refused. h11 takes longer over a head and its
answer than most routes over the request.
"""

import re
from typing import Any
from urllib.parse import unquote

import msgspec
from uvicorn.protocols.http.flow_control import CLOSE_HEADER
from uvicorn.protocols.http.h11_impl import STATUS_PHRASES, RequestResponseCycle

LONGEST_HEAD, LONGEST_BODY = 16_384, 65_536
_HEAD = re.compile(
    rb"(DELETE|GET|PATCH|POST|PUT) (/[\x21-\x7e]*+) HTTP/1\.1\r\n"
    rb"((?:[-!#$%&'*+.^_`|~0-9a-zA-Z]++:[\t\x20-\x7e\x80-\xff]*+\r\n)++)\r\n"
)
"""RFC 9112: a request line, and field lines without folding, each with its one line end; nothing is tried twice."""
_LENGTH = re.compile(rb"[0-9]{1,5}")
_NOT_PLAIN = frozenset((b"expect", b"transfer-encoding", b"upgrade"))
"""Headers whose requests are read by h11. So are those of a Connection that is not just kept."""


class PlainHead(msgspec.Struct, frozen=True):
    """The head of a plain request; `end` is where its body begins, whose length is `length`."""

    method: str
    raw_path: bytes
    query: bytes
    headers: list[tuple[bytes, bytes]]
    end: int
    length: int


def read_head(data: bytes, limit: int) -> PlainHead | None:
    """Return the head that `data` begins with, of at most `limit` bytes; None unless it is a plain one, and whole."""
    match = _HEAD.match(data, 0, min(limit, LONGEST_HEAD))
    if match is None:
        return None
    hosts, length = 0, None
    headers = []
    for line in match[3][:-2].split(b"\r\n"):
        raw_name, _, value = line.partition(b":")
        name, value = raw_name.lower(), value.strip(b" \t")
        headers.append((name, value))
        if name == b"host":
            hosts += 1
        elif name == b"content-length":
            if length is not None or not _LENGTH.fullmatch(value) or int(value) > LONGEST_BODY:
                return None
            length = int(value)
        elif name in _NOT_PLAIN or (name == b"connection" and value.lower() != b"keep-alive"):
            return None
    if hosts != 1 or len(data) - match.end() > (length or 0):
        return None
    raw_path, _, query = match[2].partition(b"?")
    return PlainHead(match[1].decode(), raw_path, query, headers, match.end(), length or 0)


def scope_of(head: PlainHead, asgi_version: Any) -> Any:
    """Return what the scope of a request has from its head."""
    return {
        "type": "http",
        "asgi": {"version": asgi_version, "spec_version": "2.3"},
        "http_version": "1.1",
        "method": head.method,
        "root_path": "",
        "path": unquote(head.raw_path.decode("ascii")),
        "raw_path": head.raw_path,
        "query_string": head.query,
        "headers": head.headers,
    }


class PlainCycle(RequestResponseCycle):
    """A plain request and its answer, which goes to the transport as it is written here.

    It refuses what h11 refuses of an application: header lines that hold a line end, and another length than the head
    names. An answer without a length is sent in chunks.
    """

    async def send(self, message: Any) -> None:
        """Send a part of the answer."""
        if self.flow.write_paused and not self.disconnected:
            await self.flow.drain()
        if self.disconnected:
            return
        if not self.response_started:
            self._send_head(message)
        elif not self.response_complete:
            self._send_body(message)
        else:
            raise RuntimeError(f"the answer is complete, but there is {message['type']!r}")

    def _send_head(self, message: Any) -> None:
        if message["type"] != "http.response.start":
            raise RuntimeError(f"the answer has not begun, but there is {message['type']!r}")
        status, headers = message["status"], [*self.default_headers, *message["headers"]]
        self._left = _body_length(status, headers)
        if self._left is None:
            headers.append((b"transfer-encoding", b"chunked"))
        self.keep_alive = self.keep_alive and CLOSE_HEADER not in headers
        lines = [b"HTTP/1.1 %d %s" % (status, STATUS_PHRASES[status]), *(b"%s: %s" % one for one in headers)]
        head = b"\r\n".join(lines)
        if head.count(b"\n") != len(headers) or head.count(b"\r") != len(headers) or b"\0" in head:
            raise RuntimeError("a header of the answer has a line end")
        self.response_started = True
        self.transport.write(head + b"\r\n\r\n")

    def _send_body(self, message: Any) -> None:
        if message["type"] != "http.response.body":
            raise RuntimeError(f"the answer has begun, but there is {message['type']!r}")
        body, more = message.get("body", b""), message.get("more_body", False)
        if self._left is None:
            body = (b"%x\r\n%s\r\n" % (len(body), body) if body else b"") + (b"" if more else b"0\r\n\r\n")
        else:
            self._left -= len(body)
            if self._left < 0 or (self._left and not more):
                raise RuntimeError("the answer's body has another length than its head says")
        self.transport.write(body)
        if not more:
            self.response_complete = True
            self.message_event.set()
            if not self.keep_alive:
                self.transport.close()
            self.on_response()


def _body_length(status: int, headers: list[tuple[bytes, bytes]]) -> int | None:
    """Return the bytes of an answer's body; None where only its end will show."""
    if status in (204, 304):
        return 0
    return next((int(value) for name, value in headers if name.lower() == b"content-length"), None)
