"""HTTP as bytes on a socket: requests that no client library sends, and their answers."""

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any
from urllib.parse import urlsplit

import msgspec


class RawAnswer(msgspec.Struct, frozen=True):
    """One answer; `status` is 0 where the connection was closed without one."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def code(self) -> str:
        """The code of the problem."""
        assert "application/problem+json" == self.headers["content-type"], self
        problem: dict[str, Any] = json.loads(self.body)
        assert self.status == problem["status"]
        assert self.headers["x-request-id"] == problem["request_id"]
        return str(problem["code"])


@contextmanager
def connection(url: str, source: str = "127.0.0.1", timeout: float = 15.0) -> Iterator[socket.socket]:
    """A connection to the server of `url`, from the loopback address `source`."""
    parts = urlsplit(url)
    with socket.create_connection((parts.hostname, parts.port), timeout, source_address=(source, 0)) as opened:
        yield opened


def send(opened: socket.socket, data: bytes) -> None:
    """Send as much as the server takes; one that has refused the request may take no more."""
    with suppress(BrokenPipeError, ConnectionResetError):
        opened.sendall(data)


def read_answer(opened: socket.socket) -> RawAnswer:
    """Read one answer, by its Content-Length."""
    received = b""
    while b"\r\n\r\n" not in received:
        part = _receive(opened)
        if not part:
            return RawAnswer(0, {}, received)
        received += part
    head, _, body = received.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    while len(body) < int(headers.get("content-length", 0)) and (part := _receive(opened)):
        body += part
    return RawAnswer(int(first.split()[1]), headers, body)


def is_closed(opened: socket.socket) -> bool:
    """Wait for the end of the connection, and return whether nothing came before it."""
    return not _receive(opened)


def _receive(opened: socket.socket) -> bytes:
    try:
        return opened.recv(65_536)
    except ConnectionResetError:
        return b""
