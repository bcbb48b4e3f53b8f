"""A TCP proxy on loopback whose connections can be delayed, cut, or left half-open."""

import asyncio
import socket
import ssl
import struct
import threading
from collections.abc import Callable

import msgspec

CHUNK = 65_536
RESET = struct.pack("ii", 1, 0)
"""SO_LINGER of no time at all: closing sends a reset."""


class Link(msgspec.Struct, eq=False):
    """One connection that was taken: whether what is sent on it disappears, and whether it ends with a reset."""

    deaf: bool
    over: asyncio.Event
    reset: bool = True


class Proxy:
    """Passes TCP on to `target`, a port of loopback, from `port`; with `tls` what callers send is decrypted.

    A context manager; call it from one thread.
    """

    def __init__(self, target: int, tls: ssl.SSLContext | None = None) -> None:
        self.port = 0
        self.delay = 0.0
        """Seconds that each piece of data is held back, in each direction."""
        self._target = target
        self._tls = tls
        self.losing = False
        """Whether the next data that the target sends is lost: its connection ends instead."""
        self._dropping = False
        self._links: set[Link] = set()
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def cut(self) -> None:
        """Reset every connection; the next ones pass."""
        self._do(lambda: [link.over.set() for link in self._links])

    def drop(self) -> None:
        """Half-open: nothing passes from now on, and no end learns of it. What is taken meanwhile stays deaf."""
        self._do(self._go_deaf)

    def heal(self) -> None:
        """Let new connections pass again; those that went deaf stay so, as behind a router that forgot them."""
        self._dropping = False

    def __enter__(self) -> "Proxy":
        self._thread.start()
        self._ready.wait()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    def _do(self, change: Callable[[], object]) -> None:
        async def run() -> None:
            change()

        asyncio.run_coroutine_threadsafe(run(), self._loop).result()

    def _go_deaf(self) -> None:
        self._dropping = True
        for link in self._links:
            link.deaf = True

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        server = await asyncio.start_server(self._take, "127.0.0.1", self.port, ssl=self._tls)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._stop.wait()
        server.close()
        for link in self._links:
            link.over.set()
        ending = asyncio.all_tasks() - {asyncio.current_task()}
        await asyncio.gather(*ending, return_exceptions=True)

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        link = Link(deaf=self._dropping, over=asyncio.Event())
        self._links.add(link)
        ends = [writer]
        pumps: list[asyncio.Task[None]] = []
        try:
            there_reader, there_writer = await asyncio.open_connection("127.0.0.1", self._target)
            ends.append(there_writer)
            pumps.append(asyncio.create_task(self._pump(link, reader, there_writer, self._record)))
            pumps.append(asyncio.create_task(self._pump(link, there_reader, writer, self._lose)))
            await link.over.wait()
        except OSError:
            pass  # nothing listens behind, and the caller is reset
        finally:
            self._links.discard(link)
            for pump in pumps:
                pump.cancel()
            for end in ends:
                if link.reset:
                    end.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                    end.transport.abort()
                else:
                    end.close()

    def _record(self, data: bytes) -> None:
        """Note what a caller sent."""

    def _lose(self, _: bytes) -> None:
        if self.losing:
            self.losing = False
            raise ConnectionAbortedError

    async def _pump(
        self,
        link: Link,
        source: asyncio.StreamReader,
        sink: asyncio.StreamWriter,
        record: Callable[[bytes], object],
    ) -> None:
        """Pass on until either end closes; on a deaf link not even that is passed on."""
        try:
            while data := await source.read(CHUNK):
                record(data)
                await asyncio.sleep(self.delay)
                if not link.deaf:
                    sink.write(data)
                    await sink.drain()
        except OSError:
            pass
        if not link.deaf:
            link.reset = False
            link.over.set()
