"""Files and batches of a tenant: stored, found, made, cancelled."""

import asyncio
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from api.dialects.form_parts import FormFile
from api.dialects.openai.batches.lines import ReadLines, read_lines
from api.dialects.openai.batches.schema import NewBatch, NewFile, native_file
from api.dialects.openai.requests import REPEAT_SECONDS, JobsOfRequest
from api.http.auth import Caller
from api.http.database import Database
from api.submit.service import Submission, Submissions
from core.errors.fields import InvalidRequest, NulInText
from core.errors.limits import TooManyUploads
from core.errors.unknown import UnknownBatch, UnknownFile
from core.ids import check_id, is_id, new_id
from core.settings import Settings
from core.storage.store import Store
from jobs.batches import BATCH, FILE, LinesFile, RequestBatch, batch_from_row, file_from_row, file_key
from jobs.params.registry import Modality
from jobs.params.requests.origin import Origin
from jobs.statements.batches import batches, files
from jobs.statements.clauses import now
from jobs.statements.queue.submit import NewJob
from jobs.wire.dialects.openai import NAME
from pipelines.catalog.aliases import Aliases
from pipelines.catalog.loader import Catalog

WINDOW_SECONDS = 86_400.0
PRIORITY = 2
"""Of a batch's jobs: below the usual one, so that callers who wait are served first."""
MEDIA_TYPE = "application/octet-stream"


class OpenAIFiles:
    """Operations on files. A file of another tenant is `UnknownFile`."""

    def __init__(self, database: Database, store: Store, settings: Settings) -> None:
        self._database = database
        self._store = store
        self._settings = settings

    async def add(self, caller: Caller, file: FormFile, asked: NewFile) -> LinesFile:
        """Store a file. Raises `TooManyUploads` and `StorageUnavailable`."""
        file_id = new_id(FILE)
        key = file_key(caller.tenant, file_id)
        await asyncio.to_thread(self._store.put, key, file.path, MEDIA_TYPE)
        added = files.add_file(
            file_id,
            caller.tenant,
            filename=(file.filename or "file").replace("\0", "")[:255],
            purpose=asked.purpose,
            bytes=file.size,
            key=key,
            keep_seconds=asked.keep_seconds,
            max_files=self._settings.max_uploads,
            max_bytes=self._settings.max_upload_bytes,
        )
        row = await self._database.row(added)
        if row is None:
            await asyncio.to_thread(self._store.remove, key)
            raise TooManyUploads("You have as many or as large files as you may; delete some, then send it again.")
        return file_from_row(row)

    async def find(self, caller: Caller, shown: str) -> LinesFile:
        """Return the file that is shown under this id. Raises `UnknownFile`."""
        file_id = native_file(shown)
        row = await self._database.row(files.find_file(file_id, caller.tenant)) if is_id(FILE, file_id) else None
        if row is None:
            raise UnknownFile
        return file_from_row(row)

    async def page(
        self, caller: Caller, *, limit: int, purpose: str | None, after: str | None, oldest_first: bool
    ) -> list[LinesFile]:
        """Return a page of files."""
        last = None if after is None else await self.find(caller, after)
        statement = files.list_files(
            caller.tenant,
            limit=limit,
            purpose=purpose,
            after_file=None if last is None else (last.created_at, last.id),
            oldest_first=oldest_first,
        )
        return [file_from_row(row) for row in await self._database.rows(statement)]

    async def link(self, file: LinesFile) -> str:
        """Return a link that downloads a file. Raises `StorageUnavailable`."""
        seconds = self._settings.link_seconds
        return await asyncio.to_thread(
            self._store.link, file.key, seconds=seconds, media_type=MEDIA_TYPE, name=file.filename
        )

    async def fetch(self, file: LinesFile, target: Path) -> None:
        """Write a file to this machine. Raises `StorageUnavailable` and `UnknownOutput`."""
        await asyncio.to_thread(self._store.get, file.key, target)

    async def remove(self, caller: Caller, shown: str) -> None:
        """Remove a file, its content first. Raises `UnknownFile` and `StorageUnavailable`."""
        file = await self.find(caller, shown)
        await asyncio.to_thread(self._store.remove, file.key)
        await self._database.transaction(lambda connection: connection.execute(files.forget_file(file.id)))


class OpenAIBatches:
    """Operations on batches. A batch of another tenant is `UnknownBatch`."""

    def __init__(
        self,
        database: Database,
        openai_files: OpenAIFiles,
        submissions: Submissions,
        catalog: Catalog,
        aliases: Aliases,
        settings: Settings,
    ) -> None:
        self._database = database
        self._files = openai_files
        self._submissions = submissions
        self._catalog = catalog
        self._aliases = aliases
        self._scratch = settings.scratch_dir or None

    async def create(self, caller: Caller, asked: NewBatch, body: str, *, repeats: bool) -> RequestBatch:
        """Make a batch of the lines of a file; return the one of the last minutes that a repeat has made already.

        A file that cannot be read gives a batch that has failed, with its faults. Raises `UnknownFile` and
        the precise `InvalidRequest`.
        """
        if any("\0" in text for pair in (asked.metadata or {}).items() for text in pair):
            raise NulInText("Remove the NUL character (U+0000) from `metadata`.", field="$.metadata")
        if repeats:
            earlier = await self._database.row(batches.newest_batch_of_body(caller.tenant, body, REPEAT_SECONDS))
            if earlier is not None:
                return await self.find(caller, earlier.id)
        file = await self._files.find(caller, asked.input_file_id)
        if file.purpose != "batch":
            raise InvalidRequest("`input_file_id` must be a file with the purpose `batch`.", field="$.input_file_id")
        read = await self._read(caller, file, asked)
        batch_id = new_id(BATCH)
        values: dict[str, Any] = {"status": "in_progress", "total": len(read.rows), "look_at": now}
        if read.faults:
            values = {"status": "failed", "total": 0, "ended_at": now, "faults": msgspec.to_builtins(read.faults)}
        added = batches.add_batch(
            batch_id,
            caller.tenant,
            expires_seconds=WINDOW_SECONDS,
            endpoint=asked.endpoint,
            input_file=file.id,
            labels=asked.metadata or {},
            body=body,
            **values,
        )

        async def work(connection: AsyncConnection) -> Row[Any]:
            row = (await connection.execute(added)).one()
            if not read.faults:
                await connection.execute(batches.add_lines(), [{"batch": batch_id, **line} for line in read.rows])
            return row

        return batch_from_row(await self._database.transaction(work))

    async def find(self, caller: Caller, batch_id: str) -> RequestBatch:
        """Return a batch as it is now. Raises `MalformedId` or `UnknownBatch`."""
        row = await self._database.row(batches.find_batch(check_id(BATCH, batch_id), caller.tenant))
        if row is None:
            raise UnknownBatch
        return batch_from_row(row)

    async def page(self, caller: Caller, *, limit: int, after: str | None) -> Sequence[RequestBatch]:
        """Return a page of batches, newest first."""
        last = None if after is None else await self.find(caller, after)
        position = None if last is None else (last.created_at, last.id)
        rows = await self._database.rows(batches.list_batches(caller.tenant, limit=limit, after_batch=position))
        return [batch_from_row(row) for row in rows]

    async def cancel(self, caller: Caller, batch_id: str) -> RequestBatch:
        """Have a batch cancelled, and return it as it is now. May be repeated."""
        found = await self.find(caller, batch_id)
        await self._database.transaction(lambda one: one.execute(batches.cancel_batch(found.id, caller.tenant)))
        return await self.find(caller, batch_id)

    async def _read(self, caller: Caller, file: LinesFile, asked: NewBatch) -> ReadLines:
        """Read the lines of a file in a thread."""

        def model(modality: Modality, name: str | None) -> str | None:
            return self._aliases.model(self._catalog, modality, name, NAME)

        def prepare(job_id: str, line: JobsOfRequest) -> NewJob:
            params = msgspec.structs.replace(line.params[0], priority=min(PRIORITY, caller.priority_ceiling))
            origin = Origin(dialect=NAME, model=line.model, warnings=line.warnings)
            return self._submissions.prepare(Submission(job_id=job_id, caller=caller, params=params, origin=origin))

        with tempfile.TemporaryDirectory(prefix="atelier-batch-", dir=self._scratch) as folder:
            target = Path(folder) / "input"
            await self._files.fetch(file, target)
            return await asyncio.to_thread(read_lines, target, asked.endpoint, model, prepare)
