"""TLS on a port of loopback: before a server that has none, or before nothing at all."""

import asyncio
import ssl
from contextlib import suppress
from pathlib import Path

from tests.support.servers.proxy import CHUNK, Proxy


class TlsFront(Proxy):
    """A proxy that decrypts; without a target it only listens.

    `received` is what clients sent, decrypted; `connected` counts connections, also those whose handshake fails.
    """

    def __init__(self, certificate: Path, target: int = 0) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        context.sni_callback = self._count
        super().__init__(target, context)
        self.connected = 0
        self.received = b""

    def _count(self, *_: object) -> None:
        self.connected += 1

    def _record(self, data: bytes) -> None:
        self.received += data

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._target:
            await super()._take(reader, writer)
            return
        with suppress(OSError):
            while data := await reader.read(CHUNK):
                self._record(data)
