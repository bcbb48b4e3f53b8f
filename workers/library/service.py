"""The media library's work: files that were sent or are to be fetched are looked at, deleted items lose their objects.

An item is taken for some minutes, and no transaction is open while its file is fetched or decoded. The content of a
file decides what it is; files of callers are decoded in a confined process alone (`workers.previews`).
"""

import asyncio
import hashlib
import logging
import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import Executable, Row
from sqlalchemy.ext.asyncio import AsyncEngine

from core.database import is_unreachable
from core.errors.base import AtelierError
from core.errors.failures import InputUnreachable
from core.errors.inputs import InputTooLarge, InputUnreadable
from core.errors.unavailable import StorageUnavailable
from core.errors.unknown import UnknownOutput
from core.metrics import UPKEEP
from core.settings import Settings
from core.storage.store import Store
from jobs.job import JobError
from jobs.library_types import LOOK, identify
from jobs.media import Media, media_from_row
from jobs.previews import Preview
from jobs.statements.media import library_removal, library_work
from jobs.wire.dialects.videogen_events import NOT_UPLOADED, UPLOADED, ready_events
from workers.ingest.fetcher import Fetcher
from workers.ingest.retry_later import RetryLater
from workers.ingest.sanitizer_messages import SOURCE
from workers.input_staging import read
from workers.previews.drawer import Drawer
from workers.previews.messages import DrawResult
from workers.scratch import Scratch

log = logging.getLogger(__name__)

LEASE_SECONDS = 600.0
MOST = 4
"""Items in progress in one process: each may take a decoder, and its file disk."""
WAITS = ((60.0, 1.0), (600.0, 5.0), (float("inf"), 30.0))
"""How often it is looked for a file that is to be sent: until so old, every so many seconds."""
GRACE_SECONDS = 600.0
"""How long after its link has expired an upload that has begun may take."""
RETRY_SECONDS = 15.0
NOT_SENT = "No file was sent to the link of this item before it expired; open a new upload."
DECODED = ("image", "video", "audio")
"""Kinds of which a file that cannot be decoded is of no use."""


class LibraryWork:
    """The task that looks at items which are due, each in a task of its own."""

    def __init__(self, settings: Settings, db: AsyncEngine, store: Store) -> None:
        self._settings = settings
        self._db = db.execution_options(isolation_level="AUTOCOMMIT")
        self._store = store
        self._fetcher = Fetcher(msgspec.structs.replace(settings, input_max_bytes=settings.library_file_bytes))
        root = settings.scratch_dir or tempfile.gettempdir()
        name = f"{settings.server_id}-library"
        self._scratch = Scratch(msgspec.structs.replace(settings, scratch_dir=root, server_id=name))
        self._scratch.remove_leftovers()
        self._drawer = Drawer()
        self._threads = ThreadPoolExecutor(MOST, "library")
        self._in_progress: set[asyncio.Task[None]] = set()

    async def start_due(self) -> bool:
        """Start due items, wait until one ends, and return whether another call is worthwhile."""
        free = MOST - len(self._in_progress)
        for row in (
            await self._execute(library_work.take_media(limit=free, lease_seconds=LEASE_SECONDS)) if free else ()
        ):
            task = asyncio.create_task(self._process(row))
            self._in_progress.add(task)
            task.add_done_callback(self._in_progress.discard)
        if not self._in_progress:
            return False
        pause = self._settings.input_poll_seconds
        await asyncio.wait(self._in_progress, timeout=pause, return_when=asyncio.FIRST_COMPLETED)
        return True

    async def expire(self) -> bool:
        """Delete temporary items whose time is over; return whether there may be more."""
        gone = await self._execute(library_work.expire_media())
        UPKEEP.labels("temporary").inc(len(gone))
        return len(gone) >= library_work.BATCH

    async def close(self) -> None:
        """Stop; items in progress are taken again when their time is over."""
        for task in self._in_progress:
            task.cancel()
        await asyncio.gather(*self._in_progress, return_exceptions=True)
        await self._fetcher.close()
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._drawer.close()
        self._scratch.remove()

    async def _process(self, row: Row[Any]) -> None:
        """Look at one item, and record what was seen."""
        media, folder = media_from_row(row), self._scratch.folder(f"{row.id}-{row.attempt}")
        try:
            try:
                await self._look(media, row, folder)
            except (RetryLater, StorageUnavailable, OSError) as error:
                await self._retry(media, row, error)
            except AtelierError as error:
                await self._fail(media, row, error)
        except Exception as error:
            if is_unreachable(error):
                log.warning("library: the database does not answer media=%s", media.id)
            else:
                log.exception("library: failed media=%s", media.id)
        finally:
            await self._run(lambda: shutil.rmtree(folder, ignore_errors=True))

    async def _look(self, media: Media, row: Row[Any], folder: Path) -> None:
        if row.deleted_at is not None:
            await self._run(lambda: self._remove(media))
            await self._execute(library_removal.forget_media(media.id))
            log.info("library: removed media=%s", media.id)
            return
        await self._run(lambda: folder.mkdir(parents=True))
        if not await self._fetch(media, row, folder / SOURCE):
            return
        begun = await self._execute(library_work.begin_try(media.id, row.attempt))
        if not begun:
            return  # it was deleted, and is to be taken again; or another worker has it
        values = await self._see(media, folder, begun[0].tries)
        seen = await self._saw(media, row.attempt, values)
        if seen:
            log.info("library: ready media=%s kind=%s", media.id, values.get("kind", media.kind))
            if values.get("key", media.key) != media.key:
                await self._run(lambda: self._store.remove(media.key))
        elif not await self._execute(library_work.is_there(media.id)):
            await self._run(lambda: self._remove(media))

    async def _see(self, media: Media, folder: Path, tries: int) -> dict[str, Any]:
        """Return the columns of what is seen of the file; none for a ready one that could not be seen in all its tries.

        Raises `RetryLater` before that, and then `InputUnreadable` for one of which nothing is known.
        """
        most = self._settings.input_max_attempts
        try:
            if tries <= most:  # else the last one ended its worker
                values: dict[str, Any] = await self._run(lambda: self._store_seen(media, folder))
                return values
        except RetryLater:
            if tries < most:
                raise
        if media.status == "ready":
            return {}
        raise InputUnreadable(f"The service could not decode this file in {most} tries; send it in another form.")

    async def _fetch(self, media: Media, row: Row[Any], target: Path) -> bool:
        """Bring the file; return False where it is not there yet, which is noted."""
        if media.url is not None and media.status == "waiting":
            await self._fetcher.fetch(media.url, target, attempt=row.attempt)
            self._check_size(media, await self._run(lambda: target.stat().st_size))
            return True
        try:
            size = await self._run(lambda: self._store.size(media.key))
        except UnknownOutput:
            if media.status != "waiting":
                raise InputUnreachable("The file of this item is gone from the object store; send it again.") from None
            await self._wait(media, row)
            return False
        self._check_size(media, size)
        await self._run(lambda: read(self._store, media.key, target))
        return True

    def _check_size(self, media: Media, size: int) -> None:
        most = media.bytes or self._settings.library_file_bytes
        if size > most:
            raise InputTooLarge(f"The file has {size} bytes; send at most {most}, or say more with `bytes`.")
        if not size:
            raise InputUnreadable("The file is empty; send it again.")

    async def _wait(self, media: Media, row: Row[Any]) -> None:
        age = (datetime.now(UTC) - media.created_at).total_seconds()
        if age > self._settings.link_seconds + GRACE_SECONDS:
            raise InputUnreachable(NOT_SENT)
        pause = next(seconds for until, seconds in WAITS if age < until)
        await self._execute(library_work.look_later(media.id, row.attempt, pause))

    def _store_seen(self, media: Media, folder: Path) -> dict[str, Any]:
        """Store the file under its digest, where it is new, and its previews; return the columns of what was seen."""
        source = folder / SOURCE
        values: dict[str, Any] = {}
        if media.status == "waiting":
            with source.open("rb") as content:
                found = identify(
                    content.read(LOOK), content_type=media.media_type, filename=media.filename, kind=media.kind
                )
                content.seek(0)
                digest = hashlib.file_digest(content, "sha256").hexdigest()
            values = {"kind": found.kind, "media_type": found.media_type, "sha256": digest, "status": "ready"}
            values |= {"bytes": source.stat().st_size, "key": f"{media.folder}{digest}.{found.extension}"}
        kind = values.get("kind", media.kind)
        seconds, pixels = self._settings.sanitise_timeout, self._settings.input_max_pixels
        is_drawn = self._settings.previews or kind in DECODED
        drawn = self._drawer.draw(folder, seconds=seconds, max_pixels=pixels) if is_drawn else DrawResult()
        if drawn is None:
            raise RetryLater(InputUnreadable("The service did not finish decoding this file; send it again."))
        if drawn.code == InputUnreadable.code and kind in DECODED:
            raise InputUnreadable(drawn.message or None)
        stem = values.get("sha256", media.sha256) or "file"
        previews: list[Preview] = []
        for one in drawn.previews if self._settings.previews else ():
            file = folder / one.path
            key = f"{media.folder}{stem}-{one.name}.{file.suffix[1:]}"
            self._store.put(key, file, one.media_type)
            previews.append(
                Preview(
                    name=one.name,
                    key=key,
                    media_type=one.media_type,
                    bytes=file.stat().st_size,
                    width=one.width,
                    height=one.height,
                )
            )
        if "key" in values:
            self._store.put(values["key"], source, values["media_type"])
        shape = {"width": drawn.width, "height": drawn.height, "duration_seconds": drawn.duration_seconds}
        return values | shape | {"previews": msgspec.to_builtins(previews)}

    async def _saw(self, media: Media, attempt: int, values: dict[str, Any]) -> list[Row[Any]]:
        """Record what was seen of an item, and that its file is there; returns no row if it was deleted or lost."""
        events = [UPLOADED, *ready_events(values.get("kind", media.kind))]
        return await self._execute(library_work.saw_media(media.id, attempt, values, events))

    async def _retry(self, media: Media, row: Row[Any], error: Exception) -> None:
        """Look again later, or give a URL up that has been asked often enough."""
        log.info("library: again later media=%s reason=%s", media.id, error)
        if media.url is not None and isinstance(error, RetryLater) and row.attempt >= self._settings.input_max_attempts:
            await self._fail(media, row, error.error)
            return
        pause = max(RETRY_SECONDS if media.url is None else self._settings.input_backoff, getattr(error, "after", 0.0))
        await self._execute(library_work.look_later(media.id, row.attempt, pause))

    async def _fail(self, media: Media, row: Row[Any], error: AtelierError) -> None:
        log.info("library: refused media=%s code=%s", media.id, error.code)
        reason = JobError(error.code, error.detail)
        failed = library_work.fail_media(media.id, row.attempt, reason, [NOT_UPLOADED])
        if await self._execute(failed):  # else another worker has it, and may have stored its file
            await self._run(lambda: self._remove(media))

    def _remove(self, media: Media) -> None:
        for key in media.keys:
            self._store.remove(key)
        if media.folder:
            self._store.remove_prefix(media.folder)

    async def _run(self, work: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    async def _execute(self, statement: Executable) -> list[Row[Any]]:
        async with self._db.connect() as connection:
            result = await connection.execute(statement)
            return list(result.all()) if result.returns_rows else []
