"""A client that costs little: prepared requests on kept-alive connections, in a process of its own.

Each connection sends its next request when it has the answer to the one before. An HTTP library would take longer over
a request than the server does, on the same two cores.
"""

import selectors
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

HEAD_END = b"\r\n\r\n"
LENGTH = b"\r\ncontent-length:"


class Turn(msgspec.Struct, frozen=True):
    """Send `requests` in turn to a port for `seconds`; each begins with its request line."""

    port: int
    requests: tuple[bytes, ...]
    connections: int
    seconds: float


class Answered(msgspec.Struct, frozen=True):
    """Answers of 2xx, and the seconds that each took; any other answer ends the client."""

    took: list[float]
    seconds: float

    @property
    def rate(self) -> float:
        """Answers a second."""
        return len(self.took) / self.seconds


class LoadClient:
    """The handle on the process."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    def __call__(self, turn: Turn) -> Answered:
        """Take a turn."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(msgspec.json.encode(turn) + b"\n")
        self._process.stdin.flush()
        return msgspec.json.decode(self._process.stdout.readline(), type=Answered)


def request(method: str, path: str, body: bytes = b"", **headers: str) -> bytes:
    """Return the bytes of a request; in the names of headers, _ stands for a hyphen."""
    named = {"Host": "127.0.0.1", **{name.replace("_", "-"): value for name, value in headers.items()}}
    if body:
        named |= {"Content-Type": "application/json", "Content-Length": str(len(body))}
    lines = "".join(f"{name}: {value}\r\n" for name, value in named.items())
    return f"{method} {path} HTTP/1.1\r\n{lines}\r\n".encode() + body


@contextmanager
def load_client() -> Iterator[LoadClient]:
    """Start the process, and end it again."""
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.running.load_client"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    )
    with process:
        yield LoadClient(process)


class _Connection:
    """One connection, and what of its answer has arrived."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._received = b""
        self._sent_at = 0.0

    def send(self, request: bytes) -> None:
        """Send a request, which the socket's buffer has room for."""
        self._received = b""
        self._sent_at = time.perf_counter()
        self.socket.sendall(request)

    def receive(self) -> float | None:
        """Read what there is; return the seconds since the request once its answer is whole."""
        data = self.socket.recv(65_536)
        self._received += data
        head, end, body = self._received.partition(HEAD_END)
        if not data or (end and not head.startswith(b"HTTP/1.1 2")):
            raise RuntimeError(self._received.decode(errors="replace"))
        if not end:
            return None
        _, _, rest = head.lower().partition(LENGTH)
        return time.perf_counter() - self._sent_at if len(body) >= int(rest.split(b"\r\n", 1)[0]) else None


def _answer(turn: Turn) -> Answered:
    connections = [_Connection(turn.port) for _ in range(turn.connections)]
    took: list[float] = []
    sent = len(connections)
    with selectors.DefaultSelector() as selector:
        for number, connection in enumerate(connections):
            selector.register(connection.socket, selectors.EVENT_READ, connection)
            connection.send(turn.requests[number % len(turn.requests)])
        began = time.perf_counter()
        waiting = len(connections)
        while waiting:
            for key, _ in selector.select(30):
                seconds = key.data.receive()
                if seconds is None:
                    continue
                if time.perf_counter() > began + turn.seconds:
                    waiting -= 1
                    selector.unregister(key.fileobj)
                    continue
                took.append(seconds)
                key.data.send(turn.requests[sent % len(turn.requests)])
                sent += 1
        for connection in connections:
            connection.socket.close()
    return Answered(took, turn.seconds)


def main() -> None:
    """Take turns until the other side is gone."""
    for line in sys.stdin.buffer:
        sys.stdout.buffer.write(msgspec.json.encode(_answer(msgspec.json.decode(line, type=Turn))) + b"\n")
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
