"""Taking in the media that a request names, so that not one byte of them ever reaches a row.

A URL is written down, to be fetched by a CPU worker; a `data:` URL becomes an object; an upload, or a stored voice, is
one already.
"""

import asyncio
import logging
import tempfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import msgspec

from api.submit.data_urls import decode, is_data_url
from core.errors import InputTooLarge, StorageUnavailable, UnknownInput, UnknownOutput
from core.settings import Settings
from core.storage.store import Store
from jobs.media_types import HEAD, expect
from jobs.params.media import Medium, media_of, with_sources
from jobs.params.registry import AnyParams
from jobs.statements.queue.submit import InputSource

log = logging.getLogger(__name__)

STORED = "stored:"
"""In `params`, what stands for a `data:` URL: this and the name of the input."""
UPLOAD, VOICE = "inp_", "voi_"
"""How the ids of stored objects begin."""
UNKNOWN_VOICE = "No stored voice of this id is there; GET /voices/v1 lists yours."
THREADS = 4
"""Requests whose media are decoded and stored at a time; the others wait their turn."""


class IngestedRequest(msgspec.Struct, frozen=True):
    """A request without media in it: its parameters, where each input comes from, the folder of objects made for it."""

    params: AnyParams
    sources: tuple[InputSource, ...] = ()
    folder: str = ""


class StoredObject(msgspec.Struct, frozen=True):
    """An object that was made of a medium, and what it is by its content."""

    media_type: str
    bytes: int


class MediaIntake:
    """Decodes, judges and stores, off the event loop."""

    def __init__(self, store: Store, settings: Settings) -> None:
        self._store = store
        self._limit = settings.input_max_bytes
        self._scratch = settings.scratch_dir or None
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="intake")

    async def take(self, tenant: str, job_id: str, params: AnyParams, stored: Mapping[str, str]) -> IngestedRequest:
        """Take in every medium of a request; `stored` has the keys of the tenant's objects that it names, by id.

        Raises `UnsupportedMedia`, `InputTooLarge`, `InputUnreadable`, `UnknownInput` or `StorageUnavailable`, and
        then leaves nothing behind.
        """
        if not needs_store(params):
            return self._take("", params, stored)  # nobody who only names URLs waits behind those who send files
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, self._take, f"{tenant}/{job_id}/", params, stored)

    async def keep(self, medium: Medium, key: str, stored: Mapping[str, str]) -> StoredObject:
        """Make an object of its own under `key`, of a `data:` URL or an object in `stored`. Raises as `take` does."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._keep, medium, key, stored)

    async def remove(self, key: str) -> None:
        """Remove an object that may not be there. Raises `StorageUnavailable`."""
        await asyncio.get_running_loop().run_in_executor(self._threads, self._store.remove_prefix, key)

    async def give_back(self, prefix: str) -> None:
        """Remove the objects of a request that came to nothing, if there are any; a log line when that fails."""
        if prefix:
            await asyncio.get_running_loop().run_in_executor(self._threads, self._remove, prefix)

    def close(self) -> None:
        """Let go of the threads."""
        self._threads.shutdown(wait=False)

    def _take(self, folder: str, params: AnyParams, stored: Mapping[str, str]) -> IngestedRequest:
        sources: list[InputSource] = []
        made: dict[str, str] = {}
        try:
            for medium in media_of(params):
                if is_data_url(medium.source):
                    made[medium.name] = f"{STORED}{medium.name}"
                    key = f"{folder}inputs/raw/{medium.name}"
                    self._put(medium, key)
                    sources.append(InputSource(name=medium.name, kind=medium.kind, source_key=key))
                elif is_stored(medium.source):
                    key = self._check_stored(medium, stored)
                    sources.append(InputSource(name=medium.name, kind=medium.kind, source_key=key))
                else:
                    host = httpx.URL(medium.source).netloc.decode()
                    sources.append(InputSource(name=medium.name, kind=medium.kind, url=medium.source, host=host))
        except Exception:
            if made:
                self._remove(folder)
            raise
        return IngestedRequest(with_sources(params, made), tuple(sources), folder if made else "")

    def _keep(self, medium: Medium, key: str, stored: Mapping[str, str]) -> StoredObject:
        source = None if is_data_url(medium.source) else self._check_stored(medium, stored)
        return self._put(medium, key, source)

    def _put(self, medium: Medium, key: str, source: str | None = None) -> StoredObject:
        """Store what a `data:` URL holds, or a copy of the object `source`."""
        try:
            with tempfile.NamedTemporaryFile(prefix="atelier-input-", dir=self._scratch) as file:
                path = Path(file.name)
                if source is not None:
                    self._store.get(source, path)
                    self._check_size(path.stat().st_size, medium)  # it may have been PUT again since it was looked at
                else:
                    for piece in decode(medium.source, limit=self._limit, field=medium.field):
                        file.write(piece)
                    file.flush()
                with path.open("rb") as content:
                    media_type = expect(content.read(HEAD), medium.kind, field=medium.field)
                self._store.put(key, path, media_type)
                return StoredObject(media_type, path.stat().st_size)
        except OSError as error:
            raise StorageUnavailable(f"There is no room to decode the input: {error.strerror}.") from error

    def _check_stored(self, medium: Medium, stored: Mapping[str, str]) -> str:
        """The key of the upload or the voice that a field names."""
        advice = UNKNOWN_VOICE if medium.source.startswith(VOICE) else None
        if medium.source not in stored:
            raise UnknownInput(advice, field=medium.field)
        key = stored[medium.source]
        try:
            size = self._store.size(key)
        except UnknownOutput:
            advice = advice or "Nothing was uploaded for this input_id yet; PUT the file to its upload_url first."
            raise UnknownInput(advice, field=medium.field) from None
        self._check_size(size, medium)
        expect(self._store.head(key, HEAD) if size else b"", medium.kind, field=medium.field)
        return key

    def _check_size(self, size: int, medium: Medium) -> None:
        if size > self._limit:
            advice = f"The upload has {size} bytes; an input may have at most {self._limit}."
            raise InputTooLarge(advice, field=medium.field)

    def _remove(self, prefix: str) -> None:
        try:
            self._store.remove_prefix(prefix)
        except StorageUnavailable as error:
            log.warning("%s was stored for a request that came to nothing, and stays: %s", prefix, error.detail)


def is_stored(source: str) -> bool:
    """Whether a source is the id of an upload or of a stored voice, known or not, rather than a URL."""
    return source.startswith((UPLOAD, VOICE))


def needs_store(params: AnyParams) -> bool:
    """Whether a request names media that are stored or looked at, and not only URLs, which are written down."""
    return any(is_data_url(medium.source) or is_stored(medium.source) for medium in media_of(params))
