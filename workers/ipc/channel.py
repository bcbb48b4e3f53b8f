"""Framed messages over a socket pair: four bytes of length, then MessagePack.

`multiprocessing.connection` is slower with deadlines, and has none for the rest of a message that has begun.
"""

import select
import socket
import threading
import time

import msgspec

from workers.ipc.messages import AnyMessage

_LENGTH = 4
_LIMIT = 4 * 2**20


class ChannelClosed(Exception):
    """The other side is gone, or does not send messages."""


class Channel:
    """One end of the pair. Any thread may call `send`, one thread `receive`."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._sending = threading.Lock()
        self._encoder = msgspec.msgpack.Encoder()
        self._decoder: msgspec.msgpack.Decoder[AnyMessage] = msgspec.msgpack.Decoder(AnyMessage)
        self._buffer = bytearray()

    def send(self, message: AnyMessage) -> None:
        """Send one message; raises `ChannelClosed`."""
        body = self._encoder.encode(message)
        try:
            with self._sending:
                self._socket.sendall(len(body).to_bytes(_LENGTH, "big") + body)
        except OSError as error:
            raise ChannelClosed from error

    def receive(self, seconds: float | None = None) -> AnyMessage:
        """Return the next message; raises `ChannelClosed`, or `TimeoutError` when none came within `seconds`."""
        deadline = None if seconds is None else time.monotonic() + seconds
        size = int.from_bytes(self._take(_LENGTH, deadline), "big")
        if size > _LIMIT:
            raise ChannelClosed(f"a message of {size} bytes")
        frame = self._take(_LENGTH + size, deadline)
        del self._buffer[: _LENGTH + size]
        try:
            return self._decoder.decode(frame[_LENGTH:])
        except msgspec.MsgspecError as error:
            raise ChannelClosed(f"not a message: {error}") from error

    def has_received(self) -> bool:
        """Return whether something has come, or the other side is gone, so that `receive` has something to say."""
        return bool(self._buffer) or bool(select.select([self._socket], [], [], 0)[0])

    def close(self) -> None:
        """Close this end; the other side reads the end of the stream."""
        self._socket.close()

    def _take(self, count: int, deadline: float | None) -> bytes:
        """Return the first `count` bytes of the buffer; they stay there until a whole message has come."""
        while len(self._buffer) < count:
            # Not zero, which would mean "do not block" and miss bytes that have arrived.
            self._socket.settimeout(None if deadline is None else max(0.001, deadline - time.monotonic()))
            try:
                data = self._socket.recv(65536)
            except TimeoutError:
                raise
            except OSError as error:
                raise ChannelClosed from error
            if not data:
                raise ChannelClosed
            self._buffer += data
        return bytes(self._buffer[:count])
