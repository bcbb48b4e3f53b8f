"""Ingest: inputs of pending jobs are fetched, cleaned and stored; with its last input a job is queued.

So a GPU never waits for somebody's slow web server, and GPU workers need no internet. An input is leased, and no
transaction is open while it is under way; a worker that is lost in between lets the lease run out, and the next one
fetches it again. Waiting is done in one event loop, and decoding in a few child processes.
"""

import asyncio
import hashlib
import logging
import os
import shutil
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

import msgspec
from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncEngine

from core.database import is_unreachable
from core.errors import AtelierError, InputTooLarge, InputUnreachable, StorageUnavailable, UnknownOutput
from core.logs import log_context
from core.metrics import INPUTS
from core.retry import Backoff
from core.settings import Settings
from core.storage.store import Store
from workers.ingest.fetcher import Fetcher
from workers.ingest.input_store import CleanCopy, InputStore, Key
from workers.ingest.retry_later import RetryLater
from workers.ingest.sanitizer import Sanitizer
from workers.ingest.sanitizer_process import SOURCE
from workers.input_staging import read
from workers.scratch import Scratch

log = logging.getLogger(__name__)

AT_ONCE = 256
"""Inputs under way in one process; `inputs.take` caps them per host and per tenant."""
TRANSFERS = 8
"""Transfers from and to the store at once."""
DECODERS = min(max(4, len(os.sched_getaffinity(0))), 8)
"""Files decoded at once, at most half of them one tenant's: 40 megapixels take seconds, and almost a gigabyte each."""
JITTER = 0.2
DOUBLINGS = 5
"""How often the pause before another attempt doubles: to about a minute."""

Outcome = CleanCopy | AtelierError | RetryLater | OSError
"""What an attempt can end with."""


class Ingest:
    """Takes what is due, each input in a task of its own."""

    def __init__(self, settings: Settings, engine: AsyncEngine, store: Store) -> None:
        self._settings = settings
        self._store = store
        pause = settings.input_backoff
        self._backoff = Backoff(first=pause, longest=pause * 2**DOUBLINGS, jitter=JITTER)
        self._ledger = InputStore(settings, engine)
        self._fetcher = Fetcher(settings)
        # A folder of its own name; and not in shared memory: what strangers send fills the disk, if anything.
        root, name = settings.scratch_dir or tempfile.gettempdir(), f"{settings.server_id}-inputs"
        on_disk = msgspec.structs.replace(settings, scratch_dir=root, server_id=name)
        self._scratch = Scratch(on_disk)
        self._scratch.remove_leftovers()
        self._sanitiser = Sanitizer()
        self._decoders = ThreadPoolExecutor(DECODERS, "sanitize")
        self._shares: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()
        self._transfers = ThreadPoolExecutor(TRANSFERS, "transfer")
        self._held: dict[Key, asyncio.Task[None]] = {}
        self._under_way: set[asyncio.Task[None]] = set()

    async def turn(self) -> bool:
        """Start what is due, then wait until something ends and leaves room; true when another turn is worthwhile."""
        free = AT_ONCE - len(self._under_way)
        began = time.monotonic()
        taken = await self._ledger.take(free) if free else ()
        took = time.monotonic() - began
        for row in taken:
            with log_context(job_id=row.job_id, tenant_id=row.tenant):
                task = asyncio.create_task(self._bring(row))
            self._held[_key(row)] = task
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)
        if not self._under_way:
            return False
        pause = self._settings.input_poll_seconds
        await asyncio.wait(self._under_way, timeout=pause, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.sleep(took)  # a long queue makes asking slow: at most half of the time goes into it
        return True

    async def keep(self) -> bool:
        """Renew every lease; what is not wanted any more, or another's by now, is dropped."""
        held = list(self._held)
        if held:
            kept = await self._ledger.renew(held)
            dropped = [key for key in held if key not in kept and key in self._held]
            await self._drop(dropped)
        return False

    async def close(self) -> None:
        """Hand back what is under way, its attempts refunded; what can not be told to the database times out there."""
        try:
            await self._drop(list(self._held))
        except Exception as error:
            log.warning("inputs were not handed back: %s", error)
        await asyncio.gather(*self._under_way, return_exceptions=True)
        await self._fetcher.close()
        self._ledger.close()
        for pool in (self._decoders, self._transfers):
            pool.shutdown(wait=False, cancel_futures=True)
        self._sanitiser.close()
        self._scratch.remove()

    async def _drop(self, keys: list[Key]) -> None:
        tasks = [self._held.pop(key) for key in keys]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if keys:
            log.info("%d inputs are handed back", len(keys))
            await self._ledger.release(keys)

    async def _bring(self, row: Row[Any]) -> None:
        """One attempt at one input, and what comes of it."""
        key = _key(row)
        folder = self._scratch.folder("-".join(map(str, key)))
        try:
            outcome = await self._attempt(row, folder)
            self._held.pop(key, None)  # from here on it is a matter of one transaction, which nothing should interrupt
            await self._settle(row, outcome)
        except Exception as error:
            if is_unreachable(error):
                log.warning(
                    "input %s of %s: the database does not answer; it will be taken again", row.name, row.job_id
                )
            else:
                log.exception("input %s of %s", row.name, row.job_id)
        finally:
            self._held.pop(key, None)
            shutil.rmtree(folder, ignore_errors=True)

    async def _attempt(self, row: Row[Any], folder: Path) -> Outcome:
        try:
            _make(folder)
            await self._get(row, folder / SOURCE)
            return await self._clean(row, folder)
        except (AtelierError, RetryLater, OSError) as error:
            return error
        except Exception:
            log.exception("input %s of %s", row.name, row.job_id)
            return RetryLater(InputUnreachable("The service failed to fetch it; its log says why."))

    async def _get(self, row: Row[Any], source: Path) -> None:
        if row.url is not None:
            await self._fetcher.fetch(row.url, source, attempt=row.attempt)
            return
        await asyncio.get_running_loop().run_in_executor(self._transfers, self._download, row.source_key, source)

    def _download(self, key: str, source: Path) -> None:
        try:
            if self._store.size(key) > self._settings.input_max_bytes:
                raise InputTooLarge
            read(self._store, key, source)
        except UnknownOutput:
            raise InputUnreachable(
                "The uploaded file or the stored voice is not there any more; send it again."
            ) from None

    async def _clean(self, row: Row[Any], folder: Path) -> CleanCopy:
        loop = asyncio.get_running_loop()
        seconds = self._settings.sanitise_timeout
        order = partial(self._sanitiser.clean, row.kind, folder, seconds=seconds, min_seconds=row.min_seconds)
        async with self._shares.setdefault(row.tenant, asyncio.Semaphore(DECODERS // 2)):
            clean = await loop.run_in_executor(self._decoders, order)
        prefix = f"{row.tenant}/{row.job_id}/inputs/"
        return await loop.run_in_executor(self._transfers, self._put, clean.file, prefix, clean.media_type)

    def _put(self, file: Path, prefix: str, media_type: str) -> CleanCopy:
        with file.open("rb") as content:
            digest = hashlib.file_digest(content, "sha256").hexdigest()
        key = f"{prefix}{digest}{file.suffix}"
        self._store.put(key, file, media_type)
        return CleanCopy(key=key, media_type=media_type, bytes=file.stat().st_size, sha256=digest)

    async def _settle(self, row: Row[Any], outcome: Outcome) -> None:
        if isinstance(outcome, CleanCopy):
            INPUTS.labels("fetched").inc()
            await self._ledger.ready(row, outcome)
        elif isinstance(outcome, OSError) or (isinstance(outcome, StorageUnavailable) and not outcome.full):
            log.warning("input %s of %s: %s", row.name, row.job_id, outcome)  # this machine's fault, or the store's
            refunded = row.fence - row.attempt  # a store that is away for long must not have a host asked all the time
            INPUTS.labels("retried").inc()
            await self._ledger.release([_key(row)], delay=self._backoff.pause(1 + refunded))
        elif isinstance(outcome, RetryLater) and row.attempt < self._settings.input_max_attempts:
            INPUTS.labels("retried").inc()
            await self._ledger.retry(row, max(self._backoff.pause(row.attempt), outcome.after), outcome.error.detail)
        else:
            INPUTS.labels("refused").inc()
            await self._ledger.fail(row, outcome.error if isinstance(outcome, RetryLater) else outcome)


def _make(folder: Path) -> None:
    folder.mkdir(parents=True)


def _key(row: Row[Any]) -> Key:
    return row.job_id, row.name, row.fence
