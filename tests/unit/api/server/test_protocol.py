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
BEGIN = b"GET / HTTP/1.1\r\nHost: a\r\n"


class Transport:
    """A transport that notes what is written to it."""

    def __init__(self) -> None:
        self.written = b""

    def write(self, data: bytes) -> None:
        self.written += data

    def get_extra_info(self, name: str) -> Any:
        return ("127.0.0.1", 1) if name in ("peername", "sockname") else None

    def is_closing(self) -> bool:
        return False

    def __getattr__(self, name: str) -> Any:
        return lambda *_: None


async def answer(scope: Any, receive: Any, send: Any) -> None:
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
