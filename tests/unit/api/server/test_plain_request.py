"""Plain requests: what is read without h11 is read as h11 reads it, and nothing that can be read in two ways."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import h11
import pytest
from uvicorn.protocols.http.flow_control import FlowControl

from api.server.plain_request import LONGEST_BODY, PlainCycle, read_head

LIMIT = 65_536
GET = b"GET /jobs/v1?limit=3 HTTP/1.1\r\nHost: a\r\nX-API-Key:  atl_1 \r\n\r\n"
POST = b"POST /a%20b HTTP/1.1\r\nhost: a\r\nContent-Length: 4\r\nConnection: Keep-Alive\r\n\r\n"


@pytest.mark.parametrize(
    "data",
    [
        GET,
        POST,
        POST + b"abcd",
        POST + b"ab",
        b"DELETE / HTTP/1.1\r\nHost:\r\nX-Empty:\r\nAccept: */*\r\naccept:\ta\t b\r\n\r\n",
        b"PUT /x HTTP/1.1\r\nX: \xc3\xa9\r\nHost: [::1]:80\r\n\r\n",
    ],
    ids=str,
)
def test_it_is_read_as_h11_reads_it(data: bytes) -> None:
    head = read_head(data, LIMIT)
    assert head is not None
    connection = h11.Connection(h11.SERVER, LIMIT)
    connection.receive_data(data)
    request = connection.next_event()
    assert isinstance(request, h11.Request)
    assert (request.method.decode(), request.target) == (
        head.method,
        head.raw_path + b"?" * bool(head.query) + head.query,
    )
    assert list(request.headers) == head.headers
    body = connection.next_event()
    received = bytes(body.data) if isinstance(body, h11.Data) else b""
    assert (received, len(data) - len(received)) == (data[head.end :], head.end)
    assert {b"content-length": b"%d" % head.length}.items() <= dict(head.headers).items() or not head.length


@pytest.mark.parametrize(
    "data",
    [
        GET[:-1],
        GET[:-2],
        GET + GET,
        POST + b"abcde",
        GET.replace(b"\r\n", b"\n"),
        GET.replace(b" HTTP/1.1", b" HTTP/1.0"),
        GET.replace(b"GET", b"HEAD"),
        GET.replace(b"GET", b"OPTIONS"),
        GET.replace(b"GET", b"get"),
        GET.replace(b"GET /", b"GET http://a/"),
        GET.replace(b"GET /", b"GET  /"),
        GET.replace(b"limit", b"li mit"),
        GET.replace(b"limit", b"li\x7fmit"),
        GET.replace(b"Host: a", b"Hos: a"),
        GET.replace(b"Host: a", b"Host: a\r\nHost: a"),
        GET.replace(b"Host: a", b"Host : a"),
        GET.replace(b"Host: a", b"Host: a\r\n folded"),
        GET.replace(b"atl_1", b"atl\0"),
        GET.replace(b"atl_1", b"atl\rX: a"),
        GET.replace(b"X-API-Key", b"Upgrade"),
        GET.replace(b"X-API-Key", b"Expect"),
        GET.replace(b"X-API-Key: ", b"Transfer-Encoding: chunked"),
        POST.replace(b"Keep-Alive", b"close"),
        POST.replace(b"Keep-Alive", b"keep-alive, upgrade"),
        POST.replace(b": 4", b": 4\r\nContent-Length: 4"),
        POST.replace(b": 4", b": 4, 4"),
        POST.replace(b": 4", b": +4"),
        POST.replace(b": 4", b": -1"),
        POST.replace(b": 4", b": \xd9\xa4"),
        POST.replace(b": 4", b": %d" % (LONGEST_BODY + 1)),
        b"",
    ],
    ids=str,
)
def test_anything_else_is_left_to_h11(data: bytes) -> None:
    assert read_head(data, LIMIT) is None


def test_a_head_above_its_bound_is_left_to_h11() -> None:
    assert read_head(GET, len(GET)) is not None
    assert read_head(GET, len(GET) - 1) is None


class Transport:
    """A transport that notes what is written to it, and its end."""

    def __init__(self) -> None:
        self.written, self.closed = b"", False

    def write(self, data: bytes) -> None:
        self.written += data

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed


def make_cycle(transport: Transport) -> PlainCycle:
    """A request that was read, to be answered to this transport."""
    logger = logging.getLogger("test")
    return PlainCycle(
        scope={"headers": [], "method": "GET"},  # type: ignore[typeddict-item]
        conn=h11.Connection(h11.SERVER),
        transport=transport,  # type: ignore[arg-type]
        flow=FlowControl(transport),  # type: ignore[arg-type]
        logger=logger,
        access_logger=logger,
        access_log=False,
        default_headers=[(b"date", b"today")],
        message_event=asyncio.Event(),
        on_response=lambda: None,
    )


@pytest.fixture
def transport() -> Transport:
    return Transport()


@pytest.fixture
def respond(transport: Transport) -> Callable[..., Any]:
    """Answer a request with these headers and parts of a body."""

    async def answer(parts: list[bytes], *headers: tuple[bytes, bytes], status: int = 200) -> None:
        async def app(scope: Any, receive: Any, send: Any) -> None:
            await send({"type": "http.response.start", "status": status, "headers": list(headers)})
            for number, part in enumerate(parts, start=1):
                await send({"type": "http.response.body", "body": part, "more_body": number < len(parts)})

        await make_cycle(transport).run_asgi(app)

    return answer


async def test_an_answer_has_its_head_and_its_body(respond: Callable[..., Any], transport: Transport) -> None:
    await respond([b"ab", b"c"], (b"content-length", b"3"), (b"x", b"y"))
    expected = b"HTTP/1.1 200 OK\r\ndate: today\r\ncontent-length: 3\r\nx: y\r\n\r\nabc"
    assert (expected, False) == (transport.written, transport.closed)


async def test_an_answer_without_a_length_comes_in_chunks(respond: Callable[..., Any], transport: Transport) -> None:
    await respond([b"first", b"", b"last" * 5])
    head, _, body = transport.written.partition(b"\r\n\r\n")
    assert head.endswith(b"\r\ntransfer-encoding: chunked")
    assert b"5\r\nfirst\r\n14\r\n" + b"last" * 5 + b"\r\n0\r\n\r\n" == body


@pytest.mark.parametrize("status", [204, 304])
async def test_a_status_without_a_body_has_none(respond: Callable[..., Any], transport: Transport, status: int) -> None:
    await respond([b""], status=status)
    assert transport.written.endswith(b"date: today\r\n\r\n")


@pytest.mark.parametrize("value", [b"a\r\nSet-Cookie: b", b"a\nb", b"a\rb", b"a\0b"])
async def test_a_header_with_a_line_end_is_not_sent(
    respond: Callable[..., Any], transport: Transport, value: bytes
) -> None:
    await respond([b""], (b"content-length", b"0"), (b"location", value))
    assert transport.written.startswith(b"HTTP/1.1 500 ")
    assert b"location" not in transport.written
    assert transport.closed


@pytest.mark.parametrize("parts", [[b"abcd"], [b"ab"], [b"ab", b"cd"], [b"ab", b""]])
async def test_a_body_of_another_length_ends_the_connection(
    respond: Callable[..., Any], transport: Transport, parts: list[bytes]
) -> None:
    await respond(parts, (b"content-length", b"3"))
    assert transport.closed
    assert len(transport.written.partition(b"\r\n\r\n")[2]) < 3


async def test_an_application_can_close_the_connection(respond: Callable[..., Any], transport: Transport) -> None:
    await respond([b"abc"], (b"content-length", b"3"), (b"connection", b"close"))
    assert transport.written.endswith(b"\r\nconnection: close\r\n\r\nabc")
    assert transport.closed


@pytest.mark.parametrize("second", ["http.response.start", "http.response.trailers"])
async def test_an_answer_that_fails_on_its_way_does_not_look_complete(transport: Transport, second: str) -> None:
    """An error handler that begins another answer must not end the first one."""
    cycle = make_cycle(transport)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"ab", "more_body": True})
        await send({"type": second, "status": 500, "headers": []})

    await cycle.run_asgi(app)
    assert transport.closed
    assert transport.written.endswith(b"\r\n\r\n2\r\nab\r\n")


async def test_an_answer_that_begins_with_its_body_is_a_failure(transport: Transport) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.body", "status": 200, "headers": [], "body": b"ab"})

    await make_cycle(transport).run_asgi(app)
    assert transport.written.startswith(b"HTTP/1.1 500 ")
