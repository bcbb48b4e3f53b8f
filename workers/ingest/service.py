"""Ingest: fetches, cleans and stores the inputs of pending jobs; with its last input a job is queued.

So a GPU never waits for a caller's slow web server, and GPU workers need no internet. An input is leased, and no
transaction is open while it is fetched. When a worker is lost in between, the lease expires, and another worker
fetches the input again. Waiting is done in one event loop, decoding in a few child processes.
"""

import asyncio
import hashlib
import logging
import os
import shutil
import struct
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
from core.errors.base import AtelierError
from core.errors.failures import InputUnreachable
from core.errors.inputs import MaskOfOtherSize
from core.errors.unavailable import StorageUnavailable
from core.errors.unknown import UnknownOutput
from core.logs import log_context
from core.metrics import INPUTS
from core.retry import Backoff
from core.settings import Settings
from core.storage.store import Store
from pipelines.catalog.licenses import check_lora_file, read_allowed
from pipelines.catalog.loader import load_catalog
from pipelines.catalog.requirements import MASK
from pipelines.image.lora_fit import check_fit
from pipelines.weights.verify import weights_folder
from workers.ingest.fetcher import Fetcher, check_bytes
from workers.ingest.input_store import CleanCopy, InputStore, Key, NotCompared
from workers.ingest.retry_later import RetryLater
from workers.ingest.sanitizer import Sanitizer
from workers.ingest.sanitizer_messages import SOURCE
from workers.input_staging import read
from workers.scratch import Scratch

log = logging.getLogger(__name__)

MAX_IN_PROGRESS = 256
"""Inputs in progress in one process; `inputs.take` limits them per host and per tenant."""
MAX_TRANSFERS = 8
"""Transfers from and to the store at once."""
MAX_DECODERS = min(max(4, len(os.sched_getaffinity(0))), 8)
"""Files decoded at once, at most half of them one tenant's: 64 megapixels take seconds, and about a gigabyte each."""
FILM_SHARE = 4.0
"""How many times as much processor time a film has as other inputs: all of its frames are decoded and encoded."""
JITTER = 0.2
PNG_HEAD = 24
"""Bytes of a PNG from its start to the end of its height."""
DOUBLINGS = 5
"""How often the pause before another attempt doubles: up to about a minute."""

Outcome = CleanCopy | AtelierError | RetryLater | OSError
"""The possible results of an attempt."""


class Ingest:
    """The service that brings due inputs, each in a task of its own."""

    def __init__(self, settings: Settings, db: AsyncEngine, store: Store) -> None:
        self._settings = settings
        self._objects = store
        self._catalog = load_catalog(settings.catalog)
        pause = settings.input_backoff
        self._backoff = Backoff(first=pause, longest=pause * 2**DOUBLINGS, jitter=JITTER)
        self._inputs = InputStore(settings, db)
        self._fetcher = Fetcher(settings)
        # A folder of its own name; not in shared memory: files of callers may fill the disk, but not the memory.
        root, name = settings.scratch_dir or tempfile.gettempdir(), f"{settings.server_id}-inputs"
        on_disk = msgspec.structs.replace(settings, scratch_dir=root, server_id=name)
        self._scratch = Scratch(on_disk)
        self._scratch.remove_leftovers()
        self._sanitizer = Sanitizer()
        self._decoders = ThreadPoolExecutor(MAX_DECODERS, "sanitize")
        self._shares: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()
        self._transfers = ThreadPoolExecutor(MAX_TRANSFERS, "transfer")
        self._leased: dict[Key, asyncio.Task[None]] = {}
        self._in_progress: set[asyncio.Task[None]] = set()

    async def start_due(self) -> bool:
        """Start due inputs, wait until one ends, and return whether another call is worthwhile."""
        free = MAX_IN_PROGRESS - len(self._in_progress)
        began = time.monotonic()
        due = await self._inputs.take(free) if free else ()
        took = time.monotonic() - began
        for row in due:
            with log_context(job_id=row.job_id, tenant_id=row.tenant):
                task = asyncio.create_task(self._process(row))
            self._leased[_key(row)] = task
            self._in_progress.add(task)
            task.add_done_callback(self._in_progress.discard)
        if not self._in_progress:
            return False
        pause = self._settings.input_poll_seconds
        await asyncio.wait(self._in_progress, timeout=pause, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.sleep(took)  # a long queue makes asking slow: at most half of the time goes into it
        return True

    async def renew_leases(self) -> bool:
        """Renew every lease, and drop inputs whose lease is lost or whose job no longer waits."""
        leased = list(self._leased)
        if leased:
            renewed = await self._inputs.renew(leased)
            await self._drop([key for key in leased if key not in renewed and key in self._leased])
        return False

    async def close(self) -> None:
        """Release the inputs in progress, their attempts refunded; without the database their leases expire."""
        try:
            await self._drop(list(self._leased))
        except Exception as error:
            log.warning("ingest: inputs not released reason=%s", error)
        await asyncio.gather(*self._in_progress, return_exceptions=True)
        await self._fetcher.close()
        self._inputs.close()
        for pool in (self._decoders, self._transfers):
            pool.shutdown(wait=False, cancel_futures=True)
        self._sanitizer.close()
        self._scratch.remove()

    async def _drop(self, keys: list[Key]) -> None:
        tasks = [self._leased.pop(key) for key in keys]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if keys:
            log.info("ingest: released inputs=%d", len(keys))
            await self._inputs.release(keys)

    async def _process(self, row: Row[Any]) -> None:
        """Make one attempt at one input, and record its outcome."""
        key = _key(row)
        folder = self._scratch.folder("-".join(map(str, key)))
        try:
            outcome = await self._fetch_and_clean(row, folder)
            self._leased.pop(key, None)  # what is left is one transaction, which nothing should interrupt
            await self._record(row, outcome)
        except Exception as error:
            if is_unreachable(error):
                log.warning("input: the database does not answer job=%s name=%s", row.job_id, row.name)
            else:
                log.exception("input: failed job=%s name=%s", row.job_id, row.name)
        finally:
            self._leased.pop(key, None)
            shutil.rmtree(folder, ignore_errors=True)

    async def _fetch_and_clean(self, row: Row[Any], folder: Path) -> Outcome:
        try:
            _make(folder)
            await self._fetch(row, folder / SOURCE)
            return await self._clean(row, folder)
        except (AtelierError, RetryLater, OSError) as error:
            return error
        except Exception:
            log.exception("input: failed job=%s name=%s", row.job_id, row.name)
            return RetryLater(
                InputUnreachable("The service failed to fetch it; ask the operator for the reason in its log.")
            )

    async def _fetch(self, row: Row[Any], source: Path) -> None:
        if row.url is not None:
            await self._fetcher.fetch(
                row.url, source, attempt=row.attempt, limit=self._most_bytes(row), most_bytes=row.max_bytes
            )
            return
        download = partial(self._download, row.source_key, source, self._most_bytes(row), row.max_bytes)
        await asyncio.get_running_loop().run_in_executor(self._transfers, download)

    def _most_bytes(self, row: Row[Any]) -> int:
        if row.kind == "lora":
            return self._settings.lora_max_bytes
        return self._settings.film_max_bytes if _is_film(row) else self._settings.input_max_bytes

    def _download(self, key: str, source: Path, limit: int, most_bytes: int | None) -> None:
        try:
            check_bytes(self._objects.size(key), limit, most_bytes)
            read(self._objects, key, source)
        except UnknownOutput:
            raise InputUnreachable("The uploaded file or the stored voice no longer exists; send it again.") from None

    async def _clean(self, row: Row[Any], folder: Path) -> CleanCopy:
        loop = asyncio.get_running_loop()
        request = partial(
            self._sanitizer.clean,
            row.kind,
            folder,
            seconds=self._settings.sanitise_timeout * (FILM_SHARE if _is_film(row) else 1),
            max_pixels=self._settings.input_max_pixels,
            min_seconds=row.min_seconds,
            types=tuple(row.types),
            max_seconds=row.max_seconds,
            min_side=row.min_side,
            frame=row.frame,
            is_mask=row.name == MASK,
        )
        async with self._shares.setdefault(row.tenant, asyncio.Semaphore(MAX_DECODERS // 2)):
            clean = await loop.run_in_executor(self._decoders, request)
        if row.kind == "lora":
            digest = await loop.run_in_executor(self._transfers, _sha256, clean.file)
            model = await self._inputs.model_of(row.job_id)
            check_lora_file(self._catalog, model, digest, read_allowed(self._settings.allowed_licenses))
            weights = self._catalog.get(model).directory(weights_folder(self._settings.weights_dir))
            await loop.run_in_executor(self._transfers, check_fit, clean.file, model, weights)
        prefix = f"{row.tenant}/{row.job_id}/inputs/"
        return await loop.run_in_executor(self._transfers, self._put, clean.file, prefix, clean.media_type)

    def _put(self, file: Path, prefix: str, media_type: str) -> CleanCopy:
        digest = _sha256(file)
        key = f"{prefix}{digest}{file.suffix}"
        self._objects.put(key, file, media_type)
        return CleanCopy(key=key, media_type=media_type, bytes=file.stat().st_size, sha256=digest)

    async def _record(self, row: Row[Any], outcome: Outcome) -> None:
        if isinstance(outcome, CleanCopy):
            try:
                await self._complete(row, outcome)
            except (AtelierError, OSError) as error:
                await self._record(row, error)
        elif isinstance(outcome, OSError) or (isinstance(outcome, StorageUnavailable) and not outcome.full):
            # The fault of this machine or of the store.
            log.warning("input: retry job=%s name=%s reason=%s", row.job_id, row.name, outcome)
            refunded = row.fence - row.attempt  # while the store is unavailable, the host must be asked ever less
            INPUTS.labels("retried").inc()
            await self._inputs.release([_key(row)], delay=self._backoff.pause(1 + refunded))
        elif isinstance(outcome, RetryLater) and row.attempt < self._settings.input_max_attempts:
            INPUTS.labels("retried").inc()
            await self._inputs.retry(row, max(self._backoff.pause(row.attempt), outcome.after), outcome.error.detail)
        else:
            INPUTS.labels("refused").inc()
            await self._inputs.fail(row, outcome.error if isinstance(outcome, RetryLater) else outcome)

    async def _complete(self, row: Row[Any], stored: CleanCopy) -> None:
        """Record a clean copy, once a mask and its picture are compared.

        Raises `MaskOfOtherSize`, and what the store raises.
        """
        loop = asyncio.get_running_loop()
        try:
            is_kept = await self._inputs.complete(row, stored)
        except NotCompared as other:
            pair = (stored.key, other.key) if row.name == MASK else (other.key, stored.key)
            await loop.run_in_executor(self._transfers, self._check_size, *pair)
            is_kept = await self._inputs.complete(row, stored, compared=other.key)
        INPUTS.labels("fetched").inc()
        if not is_kept:
            await loop.run_in_executor(self._transfers, self._objects.remove_prefix, stored.key)

    def _check_size(self, mask: str, picture: str) -> None:
        made, wanted = (_size(self._objects.head(key, PNG_HEAD)) for key in (mask, picture))
        if made != wanted:
            raise MaskOfOtherSize(
                f"The mask has {made} pixels; send one of {wanted}, the size of `input_image`.", field="$.mask"
            )


def _size(png: bytes) -> str:
    """Return width x height of a clean copy, by its first bytes (PNG 3, 11.2.1)."""
    return "{}x{}".format(*struct.unpack(">II", png[16:PNG_HEAD]))


def _make(folder: Path) -> None:
    folder.mkdir(parents=True)


def _sha256(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _is_film(row: Row[Any]) -> bool:
    """Return whether the file may be a film."""
    return bool(row.kind in ("video", "recording") or row.frame is not None)


def _key(row: Row[Any]) -> Key:
    return row.job_id, row.name, row.fence
