"""Taking in the media that a request names, so that not one byte of them ever reaches a row.

A URL is written down, to be fetched by a CPU worker; a `data:` URL becomes an object; an upload is one already.
"""

import asyncio
import logging
import tempfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import msgspec

from api.data_urls import decode, is_data_url
from jobs.errors import InputTooLarge, StorageUnavailable, UnknownInput, UnknownOutput
from jobs.media_types import HEAD, expect
from jobs.params import AnyParams, Medium, media_of, with_sources
from jobs.settings import Settings
from jobs.statements.submit import InputSource
from jobs.storage import Store

log = logging.getLogger(__name__)

STORED = "stored:"
"""In `params`, what stands for a `data:` URL: this and the name of the input."""
THREADS = 4
"""Requests whose media are decoded and stored at a time; the others wait their turn."""


class Taken(msgspec.Struct, frozen=True):
    """A request without media in it: its parameters, where each input comes from, the folder of objects made for it."""

    params: AnyParams
    sources: tuple[InputSource, ...] = ()
    folder: str = ""


class Intake:
    """Decodes, judges and stores, off the event loop."""

    def __init__(self, store: Store, settings: Settings) -> None:
        self._store = store
        self._limit = settings.input_max_bytes
        self._scratch = settings.scratch_dir or None
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="intake")

    async def take(self, tenant: str, job_id: str, params: AnyParams, uploads: Mapping[str, str]) -> Taken:
        """Take in every medium of a request; `uploads` has the keys of the tenant's uploads that it names, by id.

        Raises `UnsupportedMedia`, `InputTooLarge`, `InputUnreadable`, `UnknownInput` or `StorageUnavailable`, and
        then leaves nothing behind.
        """
        if not needs_store(params):
            return self._take("", params, uploads)  # nobody who only names URLs waits behind those who send files
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, self._take, f"{tenant}/{job_id}/", params, uploads)

    async def give_back(self, taken: Taken) -> None:
        """Remove the objects of a request that made no job; a log line when that fails."""
        if taken.folder:
            await asyncio.get_running_loop().run_in_executor(self._threads, self._remove, taken.folder)

    def close(self) -> None:
        """Let go of the threads."""
        self._threads.shutdown(wait=False)

    def _take(self, folder: str, params: AnyParams, uploads: Mapping[str, str]) -> Taken:
        sources: list[InputSource] = []
        stored: dict[str, str] = {}
        try:
            for medium in media_of(params):
                if is_data_url(medium.source):
                    stored[medium.name] = f"{STORED}{medium.name}"
                    key = f"{folder}inputs/raw/{medium.name}"
                    self._put(medium, key)
                    sources.append(InputSource(name=medium.name, kind=medium.kind, source_key=key))
                elif is_upload(medium.source):
                    key = self._check_upload(medium, uploads)
                    sources.append(InputSource(name=medium.name, kind=medium.kind, source_key=key))
                else:
                    host = httpx.URL(medium.source).netloc.decode()
                    sources.append(InputSource(name=medium.name, kind=medium.kind, url=medium.source, host=host))
        except Exception:
            if stored:
                self._remove(folder)
            raise
        return Taken(with_sources(params, stored), tuple(sources), folder if stored else "")

    def _put(self, medium: Medium, key: str) -> None:
        try:
            with tempfile.NamedTemporaryFile(prefix="atelier-input-", dir=self._scratch) as file:
                for piece in decode(medium.source, limit=self._limit, field=medium.field):
                    file.write(piece)
                file.flush()
                file.seek(0)
                media_type = expect(file.read(HEAD), medium.kind, field=medium.field)
                self._store.put(key, Path(file.name), media_type)
        except OSError as error:
            raise StorageUnavailable(f"There is no room to decode the input: {error.strerror}.") from error

    def _check_upload(self, medium: Medium, uploads: Mapping[str, str]) -> str:
        """The key of the upload that a field names."""
        if medium.source not in uploads:
            raise UnknownInput(field=medium.field)
        key = uploads[medium.source]
        try:
            size = self._store.size(key)
        except UnknownOutput:
            advice = "Nothing was uploaded for this input_id yet; PUT the file to its upload_url first."
            raise UnknownInput(advice, field=medium.field) from None
        if size > self._limit:
            advice = f"The upload has {size} bytes; an input may have at most {self._limit}."
            raise InputTooLarge(advice, field=medium.field)
        expect(self._store.head(key, HEAD) if size else b"", medium.kind, field=medium.field)
        return key

    def _remove(self, folder: str) -> None:
        try:
            self._store.remove_prefix(folder)
        except StorageUnavailable as error:
            log.warning("%s was stored for a request that made no job, and stays: %s", folder, error.detail)


def is_upload(source: str) -> bool:
    """Whether a source is the id of an upload, known or not, rather than a URL."""
    return source.startswith("inp_")


def needs_store(params: AnyParams) -> bool:
    """Whether a request names media that are stored or looked at, and not only URLs, which are written down."""
    return any(is_data_url(medium.source) or is_upload(medium.source) for medium in media_of(params))
