"""A connection whose bytes arrive as a test says; tests/integration/api/server has the same on sockets."""

import asyncio
import logging
from typing import Any

import pytest
import uvicorn
from uvicorn.server import ServerState

from api.server.connections import OpenConnections
from api.server.protocol import BoundedProtocol
from core.settings import Settings

LIMIT = 20_000
PLAIN = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n"
BEGIN = b"GET / HTTP/1.1\r\nHost: a\r\n"


class Transport:
    """A transport that notes what is written to it."""

    def __init__(self) -> None:
        self.written, self.closed, self.paused = b"", False, False

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False

    def write(self, data: bytes) -> None:
        self.written += data

    def get_extra_info(self, name: str) -> Any:
        return ("127.0.0.1", 1) if name in ("peername", "sockname") else None

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed

    def __getattr__(self, name: str) -> Any:
        return lambda *_: None


async def answer(scope: Any, receive: Any, send: Any) -> None:
    """Answer once the body has come; at once to PUT."""
    while scope["method"] == "POST" and (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body", "body": b""})


@pytest.fixture
async def transport() -> Transport:
    return Transport()


@pytest.fixture
async def protocol(transport: Transport) -> BoundedProtocol:
    made = BoundedProtocol(
        settings=Settings(head_limit=LIMIT),
        open_connections=OpenConnections(10, 10),
        config=uvicorn.Config(answer, log_config=None, lifespan="off"),
        server_state=ServerState(),
        app_state={},
    )
    made.connection_made(transport)
    return made


async def test_a_long_head_that_comes_at_once_is_refused(protocol: BoundedProtocol, transport: Transport) -> None:
    protocol.data_received(BEGIN + b"X: " + b"a" * 200_000 + b"\r\n\r\n")
    assert transport.written.startswith(b"HTTP/1.1 431 ")


async def test_requests_that_come_at_once_are_no_long_head(protocol: BoundedProtocol, transport: Transport) -> None:
    protocol.data_received((BEGIN + b"X: " + b"a" * 10_000 + b"\r\n\r\n") * 20)
    for _ in range(200):
        await asyncio.sleep(0)  # the answers
    assert 20 == transport.written.count(b"HTTP/1.1 204 ")


async def test_an_offer_of_another_protocol_is_no_warning(
    protocol: BoundedProtocol, transport: Transport, caplog: pytest.LogCaptureFixture
) -> None:
    protocol.data_received(BEGIN + b"Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n")
    for _ in range(20):
        await asyncio.sleep(0)
    assert 1 == transport.written.count(b"HTTP/1.1 204 ")
    assert [] == [record for record in caplog.records if record.levelno >= logging.WARNING]


async def answers(transport: Transport) -> int:
    """How many answers there are, once the tasks have run."""
    for _ in range(20):
        await asyncio.sleep(0)
    return transport.written.count(b"HTTP/1.1 204 ")


@pytest.mark.parametrize("more", [b"", b"Connection: keep-alive, te\r\n"], ids=["plain", "h11"])
async def test_a_body_may_come_in_pieces(protocol: BoundedProtocol, transport: Transport, more: bytes) -> None:
    head = PLAIN.replace(b"Host", more + b"Host")
    for number in range(3):
        for piece in (head, b"a", b"bc"):
            protocol.data_received(piece)
            assert number == await answers(transport)
            assert not protocol.waiting
        protocol.data_received(b"d")
        assert number + 1 == await answers(transport)
        assert protocol.waiting


async def test_a_request_that_follows_too_early_waits(protocol: BoundedProtocol, transport: Transport) -> None:
    protocol.data_received(PLAIN + b"abc")
    protocol.data_received(b"d" + PLAIN + b"abcd" + BEGIN[:10])
    assert 2 == await answers(transport)
    protocol.data_received(BEGIN[10:] + b"\r\n")
    assert 3 == await answers(transport)


async def test_a_body_that_no_route_reads_is_dropped(protocol: BoundedProtocol, transport: Transport) -> None:
    protocol.data_received(PLAIN.replace(b"POST", b"PUT") + b"a")
    assert 1 == await answers(transport)
    assert not protocol.waiting
    protocol.data_received(b"bcd" + BEGIN + b"\r\n")
    assert 2 == await answers(transport)


async def test_a_connection_is_kept_for_its_time_only(protocol: BoundedProtocol, transport: Transport) -> None:
    protocol.data_received(BEGIN + b"\r\n")
    assert 1 == await answers(transport)
    sent = transport.written
    protocol.close_if_overdue(0.0)
    protocol.close_if_overdue(protocol.timeout_keep_alive - 1.0)
    assert not transport.closed
    protocol.close_if_overdue(protocol.timeout_keep_alive + 1.0)
    assert (sent, True) == (transport.written, transport.closed)  # without a word


async def test_a_second_head_has_the_time_of_a_head(protocol: BoundedProtocol, transport: Transport) -> None:
    protocol.data_received(BEGIN + b"\r\n")
    assert 1 == await answers(transport)
    protocol.close_if_overdue(0.0)
    protocol.data_received(BEGIN)
    protocol.close_if_overdue(1.0)
    protocol.close_if_overdue(2.0 + Settings().head_seconds)
    assert b"HTTP/1.1 408 " in transport.written


async def test_a_plain_body_that_is_late_is_refused(protocol: BoundedProtocol, transport: Transport) -> None:
    protocol.data_received(PLAIN + b"ab")
    assert 0 == await answers(transport)
    protocol.close_if_overdue(0.0)
    protocol.close_if_overdue(1.0 + Settings().body_seconds)
    assert transport.written.startswith(b"HTTP/1.1 408 ")


@pytest.mark.parametrize("more", [b"", b"Connection: keep-alive, te\r\n"], ids=["plain", "h11"])
async def test_what_follows_a_held_request_is_not_read_on(
    protocol: BoundedProtocol, transport: Transport, more: bytes
) -> None:
    """A route that waits for the client's end asks again after each message: it would read without an end."""
    heard: list[str] = []

    async def hold(scope: Any, receive: Any, send: Any) -> None:
        while heard[-1:] != ["http.disconnect"]:
            heard.append((await receive())["type"])

    protocol.app = hold
    protocol.data_received(BEGIN + more + b"\r\n")
    assert 0 == await answers(transport)
    for _ in range(50):
        if not transport.paused:
            protocol.data_received(b"a" * 1000)
        assert 0 == await answers(transport)
    assert (["http.request"], True) == (heard, transport.paused)
    protocol.connection_lost(None)
    await answers(transport)
    assert ["http.request", "http.disconnect"] == heard


@pytest.mark.parametrize("more", [b"", b"Connection: keep-alive, te\r\n"], ids=["plain", "h11"])
async def test_a_connection_is_kept_after_a_body_that_no_route_reads(
    protocol: BoundedProtocol, transport: Transport, more: bytes
) -> None:
    protocol.data_received(PLAIN.replace(b"POST", b"PUT").replace(b"Host", more + b"Host"))
    assert 1 == await answers(transport)
    protocol.data_received(b"abcd")
    protocol.timeout_keep_alive, sent = 75, transport.written
    protocol.close_if_overdue(0.0)
    protocol.close_if_overdue(1.0 + Settings().head_seconds)
    assert (sent, False) == (transport.written, transport.closed)
    protocol.close_if_overdue(1.0 + protocol.timeout_keep_alive)
    assert (sent, True) == (transport.written, transport.closed)


@pytest.mark.parametrize("more", [b"", b"Connection: keep-alive, te\r\n"], ids=["plain", "h11"])
async def test_a_head_that_begins_too_early_has_the_time_of_a_head(
    protocol: BoundedProtocol, transport: Transport, more: bytes
) -> None:
    protocol.data_received(PLAIN.replace(b"Host", more + b"Host") + b"abcd" + BEGIN)
    assert 1 == await answers(transport)
    protocol.close_if_overdue(0.0)
    protocol.close_if_overdue(1.0 + Settings().head_seconds)
    assert b"HTTP/1.1 408 " in transport.written
