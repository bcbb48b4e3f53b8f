"""A transport that sends what is written in one turn of the event loop together: the head of an answer with its body.

uvicorn writes them one after the other. Two pieces are two system calls here, and two more at the client.
"""

import asyncio
from typing import Any


class GatheringTransport:
    """A transport around another one, which does all but the gathering."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._pieces: list[bytes] = []

    def __getattr__(self, name: str) -> Any:
        """Return what the other transport has under this name."""
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Send a piece at the end of this turn."""
        if not data:
            return
        if not self._pieces:
            self._loop.call_soon(self.flush)
        self._pieces.append(data)

    def flush(self) -> None:
        """Send what was gathered."""
        if self._pieces:
            data, self._pieces = b"".join(self._pieces), []
            self._transport.write(data)

    def write_eof(self) -> None:
        """Send what was gathered, and the end."""
        self.flush()
        self._transport.write_eof()

    def close(self) -> None:
        """Send what was gathered, and close."""
        self.flush()
        self._transport.close()
