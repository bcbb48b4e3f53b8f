"""Files that came in a form, kept as uploads, so that jobs name them by their ids."""

import asyncio
from pathlib import Path

from api.http.auth import Caller
from api.http.database import Database
from core.errors.inputs import InputTooLarge, InputUnreadable
from core.errors.limits import TooManyUploads
from core.ids import new_id
from core.settings import Settings
from core.storage.store import Store
from jobs.media_types import HEAD, expect
from jobs.params.media import MediaKind
from jobs.statements.media.uploads import forget_upload, measured, open_upload


class UploadOperations:
    """Stores files as uploads of a tenant, which are kept for some days."""

    def __init__(self, database: Database, store: Store, settings: Settings) -> None:
        self._database = database
        self._store = store
        self._settings = settings

    async def add(self, caller: Caller, file: Path, kind: MediaKind, field: str) -> str:
        """Store a file, and return its id, which a job may name.

        Raises `InputUnreadable`, `InputTooLarge`, `UnsupportedMedia`, `TooManyUploads` and `StorageUnavailable`, and
        then leaves nothing behind.
        """
        media_type, size = await asyncio.to_thread(_check, file, kind, field, self._settings.input_max_bytes)
        input_id = new_id("inp")
        key = f"{caller.tenant}/inputs/{input_id}"
        limits = {"max_uploads": self._settings.max_uploads, "max_bytes": self._settings.max_upload_bytes}
        opened = open_upload(input_id, caller.tenant, key, **limits, bytes_each=self._settings.input_max_bytes)
        if await self._database.row(opened) is None:
            raise TooManyUploads
        try:
            await asyncio.to_thread(self._store.put, key, file, media_type)
        except Exception:
            await self._database.transaction(lambda connection: connection.execute(forget_upload(input_id)))
            raise
        await self._database.transaction(lambda connection: connection.execute(measured(input_id, size)))
        return input_id


def _check(file: Path, kind: MediaKind, field: str, limit: int) -> tuple[str, int]:
    """Return the media type of a file, judged by its content, and its size."""
    name, size = field.removeprefix("$."), file.stat().st_size
    if not size:
        raise InputUnreadable(f"The file in `{name}` is empty; send it again.", field=field)
    if size > limit:
        raise InputTooLarge(f"The file in `{name}` has {size} bytes; send at most {limit}.", field=field)
    with file.open("rb") as content:
        return expect(content.read(HEAD), kind, field=field), size
