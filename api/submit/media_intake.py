"""Intake of the media that a request names, so that not one byte of them ever reaches a row.

A URL is written down, and a CPU worker fetches it later. A `data:` URL becomes an object. An upload or a stored voice
is an object already.
"""

import asyncio
import logging
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import msgspec

from api.http.spooled_body import SpooledBody
from api.submit.data_urls import decode, is_data_url
from core.errors.inputs import InputTooLarge, UnknownInput
from core.errors.unavailable import StorageUnavailable
from core.errors.unknown import UnknownOutput
from core.settings import Settings
from core.storage.store import Store
from jobs.media import OUTPUT, PREFIX
from jobs.media_types import HEAD, expect
from jobs.params.media import MediaKind, Medium, media_of, with_sources
from jobs.params.registry import AnyParams
from jobs.statements.queue.submit import InputSource

log = logging.getLogger(__name__)

STORED = "stored:"
"""In `params`, the prefix that replaces a `data:` URL; the name of the input follows."""
UPLOAD, VOICE, ITEM = "inp_", "voi_", f"{PREFIX}_"
"""The prefixes of the ids of stored objects."""
UNKNOWN_VOICE = "No stored voice has this id; GET /voices/v1 lists yours."
UNKNOWN_ITEM = (
    "No item of the media library and no output of a job has this name; GET /media/v1 lists yours. "
    "An output is output:<job_id>/<number>, counted from 0."
)
NOT_UPLOADED = "Nothing was uploaded for this `input_id` yet; PUT the file to its `upload_url` first."
THREADS = 4
"""Requests whose media are decoded and stored at the same time; further ones wait."""


class IngestedRequest(msgspec.Struct, frozen=True):
    """A request without media in it: its parameters, the source of each input, and the folder of the objects made."""

    params: AnyParams
    sources: tuple[InputSource, ...] = ()
    folder: str = ""


class StoredObject(msgspec.Struct, frozen=True):
    """An object that was made of a medium, and its media type by its content."""

    media_type: str
    bytes: int


class MediaIntake:
    """Decodes, checks and stores media in threads of its own, off the event loop."""

    def __init__(self, store: Store, settings: Settings) -> None:
        self._store = store
        self._limit = settings.input_max_bytes
        films = settings.film_max_bytes
        self._limits: Mapping[MediaKind, int] = {"video": films, "recording": films, "lora": settings.lora_max_bytes}
        self._scratch = settings.scratch_dir or None
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="intake")

    async def ingest(
        self,
        tenant: str,
        job_id: str,
        params: AnyParams,
        stored: Mapping[str, str],
        body: SpooledBody | None,
    ) -> IngestedRequest:
        """Ingest every medium of a request; `stored` has the keys of the tenant's objects that it names, by id.

        `body` is where long `data:` URLs are (`api.submit.data_urls.decode`).

        Raises `UnsupportedMedia`, `InputTooLarge`, `InputUnreadable`, `UnknownInput` or `StorageUnavailable`, and
        then leaves nothing behind.
        """
        if not needs_store(params):
            return self._ingest("", params, stored, body)  # a request that only names URLs does not wait for a thread
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, self._ingest, f"{tenant}/{job_id}/", params, stored, body)

    async def sources_of(self, media: Sequence[Medium], stored: Mapping[str, str]) -> list[InputSource]:
        """Return the sources of media of which none is a `data:` URL. Raises what `ingest` raises; stores nothing."""

        def find() -> list[InputSource]:
            return [self._source_of(medium, stored) for medium in media]

        if not any(is_stored(medium.source) for medium in media):
            return find()
        return await asyncio.get_running_loop().run_in_executor(self._threads, find)

    async def store_copy(
        self, medium: Medium, key: str, stored: Mapping[str, str], body: SpooledBody | None
    ) -> StoredObject:
        """Store a `data:` URL, or a copy of an object in `stored`, under `key`. Raises what `ingest` raises."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, self._store_copy, medium, key, stored, body)

    async def remove(self, key: str) -> None:
        """Remove an object that may not exist. Raises `StorageUnavailable`."""
        await asyncio.get_running_loop().run_in_executor(self._threads, self._store.remove_prefix, key)

    async def discard(self, prefix: str) -> None:
        """Remove the objects of a request that made no job, if there are any; log a failure."""
        if prefix:
            await asyncio.get_running_loop().run_in_executor(self._threads, self._discard, prefix)

    def close(self) -> None:
        """Release the threads."""
        self._threads.shutdown(wait=False)

    def _ingest(
        self, folder: str, params: AnyParams, stored: Mapping[str, str], body: SpooledBody | None
    ) -> IngestedRequest:
        sources: list[InputSource] = []
        replaced: dict[str, str] = {}
        try:
            for medium in media_of(params):
                if is_data_url(medium.source):
                    replaced[medium.name] = f"{STORED}{medium.name}"
                    key = f"{folder}inputs/raw/{medium.name}"
                    self._put(medium, key, body)
                    sources.append(source_of(medium, source_key=key))
                else:
                    sources.append(self._source_of(medium, stored))
        except Exception:
            if replaced:
                self._discard(folder)
            raise
        return IngestedRequest(with_sources(params, replaced), tuple(sources), folder if replaced else "")

    def _source_of(self, medium: Medium, stored: Mapping[str, str]) -> InputSource:
        """Return the source of a medium other than a `data:` URL. Raises what `ingest` raises."""
        if is_stored(medium.source):
            key = self._check_stored(medium, stored)
            return source_of(medium, source_key=key)
        host = httpx.URL(medium.source).netloc.decode()
        return source_of(medium, url=medium.source, host=host)

    def _store_copy(
        self, medium: Medium, key: str, stored: Mapping[str, str], body: SpooledBody | None
    ) -> StoredObject:
        source = None if is_data_url(medium.source) else self._check_stored(medium, stored)
        return self._put(medium, key, body, source)

    def _put(self, medium: Medium, key: str, body: SpooledBody | None, source: str | None = None) -> StoredObject:
        """Store the content of a `data:` URL, or a copy of the object `source`."""
        try:
            with tempfile.NamedTemporaryFile(prefix="atelier-input-", dir=self._scratch) as file:
                path = Path(file.name)
                if source is not None:
                    self._store.get(source, path)
                    self._check_size(path.stat().st_size, medium)  # a second PUT may have replaced it since the check
                else:
                    for chunk in decode(medium.source, limit=self._limit, field=medium.field, body=body):
                        file.write(chunk)
                    file.flush()
                with path.open("rb") as content:
                    media_type = expect(content.read(HEAD), medium.file_kind, field=medium.field)
                self._store.put(key, path, media_type)
                return StoredObject(media_type, path.stat().st_size)
        except OSError as error:
            raise StorageUnavailable(f"Not enough space to decode the input: {error.strerror}.") from error

    def _check_stored(self, medium: Medium, stored: Mapping[str, str]) -> str:
        """Return the key of the stored object that a field names. Raises what `ingest` raises."""
        unknown = UNKNOWN_VOICE if medium.source.startswith(VOICE) else None
        if medium.source.startswith((ITEM, OUTPUT)):
            unknown = UNKNOWN_ITEM
        if medium.source not in stored:
            raise UnknownInput(unknown, field=medium.field)
        key = stored[medium.source]
        try:
            size = self._store.size(key)
        except UnknownOutput:
            raise UnknownInput(unknown or NOT_UPLOADED, field=medium.field) from None
        self._check_size(size, medium)
        expect(self._store.head(key, HEAD) if size else b"", medium.file_kind, field=medium.field)
        return key

    def _check_size(self, size: int, medium: Medium) -> None:
        limit = self._limits.get(medium.file_kind, self._limit)
        if size > limit:
            advice = f"The upload has {size} bytes; an input may have at most {limit}."
            raise InputTooLarge(advice, field=medium.field)

    def _discard(self, prefix: str) -> None:
        try:
            self._store.remove_prefix(prefix)
        except StorageUnavailable as error:
            log.warning("intake: objects not removed prefix=%s error=%s", prefix, error.detail)


def source_of(medium: Medium, **facts: Any) -> InputSource:
    """Return the source of a medium with these facts about where its file is."""
    return InputSource(name=medium.name, kind=medium.kind, frame=medium.frame, **facts)


def is_stored(source: str) -> bool:
    """Return whether a source names something that is stored, known or not, rather than a URL.

    That is an upload, a stored voice, an item of the media library or an output of a job.
    """
    return source.startswith((UPLOAD, VOICE, ITEM, OUTPUT))


def needs_store(params: AnyParams) -> bool:
    """Return whether a request names media that are stored or read, and not only URLs, which are written down."""
    return any(is_data_url(medium.source) or is_stored(medium.source) for medium in media_of(params))
