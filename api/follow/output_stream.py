"""The output of a job as one stream of bytes: as it is made, from Redis, and what that lacks from the stored file.

The stored file is what counts. A worker that streams writes the same bytes, so a stream that lost some of them, or that
began late, goes on from the file once it is there. A job whose worker is lost is made again, usually with the same
bytes: they are compared with those that were sent, and the stream goes on behind them. Where they differ it ends.
"""

import asyncio
import hashlib
import logging
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from enum import Enum
from pathlib import Path
from typing import Any

import anyio
import msgspec
from litestar.types import Receive
from redis.exceptions import RedisError

from api.follow.connection import while_connected
from api.follow.stream_limit import StreamLimit
from api.follow.watcher import JobWatcher
from core.broker.clients import async_broker_client
from core.errors.base import AtelierError
from core.settings import Settings
from core.storage.store import Store
from jobs.job import Artifact
from jobs.live.pieces import KEEP_SECONDS, OutputPiece, decode_pieces, pieces_key
from jobs.statements.queue.look import JobView

log = logging.getLogger(__name__)

BLOCK_SECONDS = 0.2
"""How long one read waits for a piece, and so how late a stream learns of the job's end."""
PAUSE_SECONDS = 1.0
"""Between two reads while Redis is away."""
COUNT = 4
"""Pieces of one read: what a stream holds of its client at once, 128 kB."""
CHUNK = 128 * 1024
HEADER = 44
"""Bytes at the beginning in which the stored file says how long it is; a file that grows cannot."""
STORED = "stored"
FOREVER = 7 * 86_400.0
"""Longer than a job may take."""


class OutputFeed:
    """Reads pieces of outputs from Redis, and outputs from the store."""

    def __init__(self, settings: Settings, store: Store, watcher: JobWatcher, limit: StreamLimit) -> None:
        self.watcher, self.limit = watcher, limit
        self._store = store
        self._client = async_broker_client(settings, timeout=BLOCK_SECONDS + settings.broker_timeout)

    async def read(self, job_id: str, cursor: bytes) -> tuple[bytes, list[OutputPiece]]:
        """Return the pieces behind `cursor`, waiting a little for one, and where the next read begins.

        While Redis is away there are none.
        """
        key, wait = pieces_key(job_id), round(BLOCK_SECONDS * 1000)
        try:
            reply: Any = await self._client.xread({key: cursor}, count=COUNT, block=wait)
            if not reply:
                return cursor, []
            await self._client.expire(key, KEEP_SECONDS)
            ((_, entries),) = reply
            return entries[-1][0], decode_pieces(entries)
        except (RedisError, OSError, TimeoutError, msgspec.MsgspecError, KeyError) as error:
            log.warning("output: not read job=%s error=%s", job_id, error)
            await asyncio.sleep(PAUSE_SECONDS)
            return cursor, []

    async def stored(self, artifact: Artifact) -> AsyncIterator[OutputPiece]:
        """Yield an output from the store. Raises `UnknownOutput` and `StorageUnavailable`."""
        with tempfile.NamedTemporaryFile(prefix="atelier-output-") as copy:
            await asyncio.to_thread(self._store.get, artifact.key, Path(copy.name))
            begin = 0
            async with await anyio.open_file(copy.name, "rb") as file:
                while data := await file.read(CHUNK):
                    yield OutputPiece(run=STORED, begin=begin, data=data)
                    begin += len(data)

    async def stop(self) -> None:
        """Close the connections."""
        await self._client.aclose()


class Beginning(Enum):
    """How a stream begins: with bytes, with none since the job has ended, not yet, or without its client."""

    BYTES, NOTHING, LATE, GONE = range(4)


class OutputStream:
    """The first output of one job for one client, as long as the client's key is valid."""

    def __init__(self, feed: OutputFeed, view: JobView, key_id: str) -> None:
        self.view = view
        """The job as it was when it was last read."""
        self._feed = feed
        self._key_id = key_id
        self._sent = _SentBytes()
        self._first = b""
        self._chunks = self._read()

    async def begin(self, receive: Receive, seconds: float | None) -> Beginning:
        """Wait for the first bytes while the client is connected, for at most `seconds`.

        Raises `TooManyStreams`, and what `JobWatcher.wait` and the store raise.
        """
        try:
            async with asyncio.timeout(seconds):
                first = await while_connected(receive, anext(self._chunks, b""), None)
        except TimeoutError:
            return Beginning.LATE
        self._first = first or b""
        if first is None:
            return Beginning.GONE
        return Beginning.BYTES if first else Beginning.NOTHING

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield the bytes of the output, of which `begin` has waited for the first."""
        async with aclosing(self._chunks):
            yield self._first
            async for chunk in self._chunks:
                yield chunk

    async def _read(self) -> AsyncGenerator[bytes]:
        job = self.view.job
        with self._feed.limit.count_one(job.tenant):
            ending = asyncio.create_task(self._feed.watcher.wait(self.view, self._key_id, FOREVER))
            try:
                if not job.status.terminal:  # else the stored file is there, with its header
                    async for data in self._live(job.id, ending):
                        yield data
                self.view = await ending
                if self.view.job.outputs_removed_at is None:
                    async for data in self._rest(self.view.job.artifacts):
                        yield data
            except AtelierError as error:
                if not self._sent.count:
                    raise
                log.warning("output: stream ended early job=%s error=%s", job.id, error.code)
            finally:
                ending.cancel()
                await asyncio.gather(ending, return_exceptions=True)

    async def _live(self, job_id: str, ending: asyncio.Task[JobView]) -> AsyncIterator[bytes]:
        """Yield what is published until the job has ended and nothing is left."""
        cursor = b"0"
        while not self._sent.is_different:
            is_over = ending.done()
            cursor, pieces = await self._feed.read(job_id, cursor)
            for piece in pieces:
                if data := self._sent.add(piece):
                    yield data
            if is_over and not pieces:
                return

    async def _rest(self, artifacts: tuple[Artifact, ...]) -> AsyncIterator[bytes]:
        """Yield what was not published, from the store."""
        if not artifacts or self._sent.count == artifacts[0].bytes or self._sent.is_different:
            return
        async for piece in self._feed.stored(artifacts[0]):
            if data := self._sent.add(piece):
                yield data


class _SentBytes:
    """What a client has of an output, by count and by hash."""

    def __init__(self) -> None:
        self.count = 0
        self.is_different = False
        """Whether a later run has made other bytes than those that were sent."""
        self._hash = hashlib.sha256()
        self._run = ""
        self._again, self._again_hash = 0, hashlib.sha256()
        """Bytes of the present run, and the hash of those that repeat what was sent."""

    def add(self, piece: OutputPiece) -> bytes:
        """Return what a piece adds to what was sent; a piece behind one that is missing adds nothing."""
        if piece.run != self._run:
            self._run, self._again, self._again_hash = piece.run, 0, hashlib.sha256()
        if self.is_different or piece.begin != self._again:
            return b""
        old = piece.data[: max(0, self.count - piece.begin)]
        self._again_hash.update(old[max(0, HEADER - piece.begin) :])
        self._again += len(piece.data)
        if len(old) == len(piece.data) and self._again < self.count:
            return b""
        if self._again_hash.digest() != self._hash.digest():
            self.is_different = True
            return b""
        new = piece.data[len(old) :]
        counted = new[max(0, HEADER - self.count) :]
        self._hash.update(counted)
        self._again_hash.update(counted)
        self.count += len(new)
        return new
