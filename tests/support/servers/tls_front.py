"""TLS on a port of loopback: before a server that has none, or before nothing at all."""

import asyncio
import ssl
import threading
from pathlib import Path


class TlsFront:
    """Passes on what arrives encrypted at `port` to `target`, a port of loopback; without one it only listens.

    A context manager. `received` is what clients sent, decrypted; `connected` counts connections, also those whose
    handshake fails.
    """

    def __init__(self, certificate: Path, target: int = 0) -> None:
        self.port = 0
        self.connected = 0
        self.received = b""
        self._target = target
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate)
        self._context.sni_callback = self._count
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> "TlsFront":
        self._thread.start()
        self._ready.wait()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    def _count(self, *_: object) -> None:
        self.connected += 1

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        server = await asyncio.start_server(self._take, "127.0.0.1", 0, ssl=self._context)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._stop.wait()
        server.close()

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self._target:
            await self._record(reader, None)
            return
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", self._target)
        try:
            await asyncio.gather(self._record(reader, there_writer), _copy(there_reader, writer))
        finally:
            for end in (writer, there_writer):
                end.close()

    async def _record(self, reader: asyncio.StreamReader, onward: asyncio.StreamWriter | None) -> None:
        try:
            while data := await reader.read(65_536):
                self.received += data
                if onward is not None:
                    onward.write(data)
        except OSError:
            pass
        if onward is not None:
            onward.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65_536):
            writer.write(data)
    except OSError:
        pass
    writer.close()
