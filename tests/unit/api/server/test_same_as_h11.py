"""Whatever bytes arrive, and in whatever pieces, a connection does with them what it does where h11 reads them all."""

import asyncio
import logging
import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest
import uvicorn
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from uvicorn.server import ServerState

from api.server import plain_request
from api.server import protocol as protocols
from api.server.connections import OpenConnections
from api.server.protocol import BoundedProtocol
from core.settings import Settings

TURNS = 12
"""Turns of the event loop after each piece: enough for an answer to be written."""
OWN = re.compile(rb"req_[0-9a-f]{32}")
NOTED = ("http_version", "method", "path", "raw_path", "query_string", "headers")
LIMITS = Settings(head_limit=2000)
CONFIG = uvicorn.Config(lambda *_: None, log_config=None, lifespan="off", ws="none")

PLAIN_LINES = [
    *(
        b"Accept: */*",
        b"X-Empty:",
        b"X:\t a  b \t",
        b"x: \xff\x80",
        b"!#$%&'*+-.^_`|~: a:b",
        b"Cookie: a",
        b"Cookie: b",
    ),
    *(b"Connection: keep-alive", b"connection:Keep-Alive", b"Keep-Alive: 5", b"TE: trailers", b"Content_Length: 3"),
]
OTHER_LINES = [
    *(b"connection:close", b"Connection: close, x", b"Connection:", b"Connection: Upgrade, HTTP2-Settings"),
    *(b"Expect: 100-continue", b"Upgrade: h2c", b"X-Long: " + b"a" * 900, b"X: a\rY: b", b": a", b"X\xe9: a"),
    *(b"Content-Length: 3", b"Content-Length: +3", b"Content-Length: 03", b"Content-Length: 3, 3", b"Content-Length:"),
    *(b"Content-Length: 0x3", b"Content-Length: -1", b"Content-Length : 3", b"content-length: 3 3", b" folded: a"),
    *(b"Transfer-Encoding: chunked", b"transfer-encoding:CHUNKED", b"Transfer-Encoding: gzip, chunked", b"\tfolded"),
    *(b"Transfer-Encoding : chunked", b"Transfer-Encoding:\x0bchunked", b"Transfer-Encoding", b"X: \0", b"X: \x0c"),
    *(b"X: a\nTransfer-Encoding: chunked", b"X: a\r\n\r\nX: b", b"X\0: a"),
]
PLAIN = (
    [b"GET", b"POST", b"PUT", b"DELETE", b"PATCH"],
    [b"/", b"/a%20b?x=1&y", b"/a?", b"//a/./..", b"/%2f%ff%00", b"/a?b?c", b"/#a"],
    [b"HTTP/1.1"],
    [b"Host: a", b"host:[::1]:80", b"HOST: \t"],
    PLAIN_LINES,
    [b"\r\n"],
)
"""The parts of a plain request: its request line, its Host, another line, and the end of a line."""
OTHER = (
    [b"HEAD", b"OPTIONS", b"get", b"PRI", b"GET ", b"CONNECT"],
    [b"http://a/b?c", b"*", b"a", b"/a b", b"/\xc3\xa9", b"/\x7f", b"", b"/" + b"a" * 2500],
    [b"HTTP/1.0", b"HTTP/2.0", b"http/1.1", b"HTTP/1.1 ", b"HTTP/1"],
    [b"X: a", b"Host: a\r\nhost: b", b"Host : a"],
    OTHER_LINES,
    [b"\n", b"\r", b"\r\r\n", b"\n\r"],
)
"""The same of requests that are written in another way, most of them wrongly."""
FAULTS = [b"", b"\0", b"\n", b"\r\n", b" ", b"\xa0"]
BODIES = [
    b"",
    b"abc",
    b"a" * 40,
    b"\r\n",
    b"GET /b HTTP/1.1\r\nHost: a\r\n\r\n",
    b"3\r\nabc\r\n0\r\n\r\n",
    b"0\r\n\r\n",
]


def head_of(parts: list[bytes], framing: list[bytes], at: int = 1) -> bytes:
    """A head of these parts, whose line number `at` has their line end."""
    method, target, version, host, line, end = parts
    lines = [b" ".join((method, target, version)), host, line, *framing, b""]
    return b"".join(each + (end if number == at else b"\r\n") for number, each in enumerate(lines))


@st.composite
def requests(draw: Any) -> tuple[bytes, bytes]:
    """The head and the body of a request: a plain one, or one that has one part in another way."""
    parts, odd = [draw(st.sampled_from(known)) for known in PLAIN], draw(st.integers(0, 2 * len(OTHER)))
    if odd > len(OTHER):
        parts[odd - len(OTHER) - 1] = draw(st.sampled_from(OTHER[odd - len(OTHER) - 1]))
    body, kind = draw(st.sampled_from(BODIES)), draw(st.integers(0, 9))
    length = b"Content-Length: %d" % len(body)
    framing = [] if not body or kind == 9 else [b"Transfer-Encoding: chunked"] if kind == 8 else [length]
    return head_of(parts, framing, draw(st.integers(0, 4))), body


@st.composite
def arrivals(draw: Any) -> list[bytes]:
    """What a client sends on one connection, perhaps with a byte at fault, as the pieces that are read."""
    data, cuts = b"", draw(st.sets(st.integers(1, 400), max_size=3)) if draw(st.integers(0, 2)) == 2 else set()
    for head, body in draw(st.lists(requests(), min_size=1, max_size=4)):
        together = draw(st.integers(0, 5))  # whether the head comes with its body, and both with what follows
        cuts |= {len(data) + len(head)} if together == 4 else set()
        data += head + body
        cuts |= {len(data)} if together < 5 else set()
    if draw(st.integers(0, 4)) == 4:
        at, other = draw(st.integers(0, len(data) - 1)), draw(st.sampled_from(FAULTS))
        data = data[:at] + other + data[at + draw(st.integers(0, 1)) :]
    return [data[begin:end] for begin, end in pairwise(sorted({0, *cuts, len(data)})) if data[begin:end]]


class Transport:
    """A transport that notes what is written to it, and its end."""

    def __init__(self) -> None:
        self.written, self.closed, self.paused = b"", False, False

    def write(self, data: bytes) -> None:
        self.written += data

    def get_extra_info(self, name: str) -> Any:
        return ("127.0.0.1", 1) if name in ("peername", "sockname") else None

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False

    def __getattr__(self, name: str) -> Any:
        return lambda *_: None


async def converse(pieces: list[bytes]) -> Any:
    """Return what the application was asked, what was answered, and how the connection is left."""
    asked: list[Any] = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        """Read the body, but that of PUT; answer with a length, but DELETE in pieces."""
        noted = {
            name: scope[name] for name in ("method", "path", "raw_path", "query_string", "headers", "http_version")
        }
        noted["headers"] = [(bytes(name), bytes(value)) for name, value in noted["headers"]]
        body, more = b"", scope["method"] != "PUT"
        asked.append([noted, body, more])
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
            asked[-1][1:] = [body, more]
            if message["type"] == "http.disconnect":
                return
        headers = [] if scope["method"] == "DELETE" else [(b"content-length", b"2")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"o", "more_body": True})
        await send({"type": "http.response.body", "body": b"k"})

    transport, state = Transport(), ServerState()
    connection = BoundedProtocol(
        settings=LIMITS, open_connections=OpenConnections(10, 10), config=CONFIG, server_state=state, app_state={}
    )
    connection.app = application
    connection.connection_made(transport)
    for piece in pieces:
        if transport.closed:
            break
        connection.data_received(piece)
        for _ in range(TURNS):
            await asyncio.sleep(0)
    left = (connection.waiting, connection._their_state, transport.closed, transport.paused)
    connection.connection_lost(None)
    for _ in range(TURNS):
        await asyncio.sleep(0)
    return asked, OWN.sub(b"", transport.written).lower(), left, len(state.tasks)


class Comparison:
    """Both readings of the same pieces; `plain` is how many connections began a request without h11."""

    def __init__(self, runner: asyncio.Runner) -> None:
        self._runner = runner
        self.connections = self.plain = 0

    def compare(self, pieces: list[bytes]) -> None:
        """Have them read with and without plain requests."""
        heads: list[Any] = []

        def noting(data: bytes, limit: int) -> Any:
            heads.append(plain_request.read_head(data, limit))
            return heads[-1]

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(logging.getLogger("uvicorn.error"), "disabled", True)
            patch.setattr(protocols, "read_head", noting)
            ours = self._runner.run(converse(pieces))
            patch.setattr(protocols, "read_head", lambda *_: None)
            h11s = self._runner.run(converse(pieces))
        self.connections += 1
        self.plain += any(heads)
        assert h11s == ours, pieces


@pytest.fixture
def comparison() -> Iterator[Comparison]:
    with asyncio.Runner() as runner:
        yield Comparison(runner)


def draw_many(comparison: Comparison, examples: int) -> None:
    """Compare what becomes of so many connections."""

    @settings(max_examples=examples, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
    @given(arrivals())
    def compare(pieces: list[bytes]) -> None:
        comparison.compare(pieces)

    compare()


@pytest.mark.parametrize("part", range(len(PLAIN)), ids=["method", "target", "version", "host", "line", "end"])
def test_each_part_is_understood_as_h11_understands_it(comparison: Comparison, part: int) -> None:
    """Every way in which one part is written, with and without a body, with and without a request that follows."""
    following = head_of([known[0] for known in PLAIN], [])
    for written in PLAIN[part] + OTHER[part]:
        parts = [written if number == part else known[0] for number, known in enumerate(PLAIN)]
        for head, body in ((head_of(parts, []), b""), (head_of(parts, [b"Content-Length: 3"]), b"abc")):
            comparison.compare([head + body, following])
            comparison.compare([head, body + following])
    assert comparison.plain >= 4 * len(PLAIN[part])


@pytest.mark.long
def test_whatever_arrives_is_understood_as_h11_understands_it(comparison: Comparison) -> None:
    draw_many(comparison, 200)
    assert comparison.connections // 3 < comparison.plain < comparison.connections


@pytest.mark.long
def test_the_same_with_many_more(comparison: Comparison) -> None:
    draw_many(comparison, 20_000)
    assert comparison.plain > 5000
