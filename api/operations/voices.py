"""The voices that a tenant keeps: taking one in, finding it, letting it go."""

import logging
from typing import Any

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from api.follow.job_lookup import stored_keys
from api.http.database import Database
from api.submit.media_intake import MediaIntake, StoredObject
from core.errors import DatabaseUnavailable, TooManyVoices, UnknownVoice
from core.ids import check_id, new_id
from core.settings import Settings
from jobs.params.media import Medium
from jobs.statements.media.inputs import forget_upload
from jobs.statements.media.uploads import add_upload
from jobs.statements.media.voices import add_voice, count_voices, find_voices, forget_voice
from jobs.statements.queue.submit import lock_quota

log = logging.getLogger(__name__)


class VoiceOperations:
    """Each is a row and an object of its own, which lives as long as the row, whatever becomes of the upload.

    Until the row is there the object counts as an upload of its own, under the voice's id, so that nobody can name it
    as an input; upkeep removes it when no voice came of it and nothing else could.
    """

    def __init__(self, database: Database, intake: MediaIntake, settings: Settings) -> None:
        self._database = database
        self._intake = intake
        self._most = settings.max_voices

    async def add(self, tenant: str, name: str, recording: Medium) -> Row[Any]:
        """Keep a recording: a `data:` URL or an upload, judged as one in a job is.

        Raises `TooManyVoices`, `UnknownInput`, `UnsupportedMedia`, `InputTooLarge`, `InputUnreadable` and
        `StorageUnavailable`, and then leaves nothing behind.
        """

        async def look(connection: AsyncConnection) -> dict[str, str]:
            await self._check_room(connection, tenant)
            await connection.execute(add_upload(voice_id, tenant, key))
            return await stored_keys(connection, tenant, [recording])

        voice_id = new_id("voi")
        key = f"{tenant}/voices/{voice_id}"
        kept = await self._intake.store_copy(recording, key, await self._database.transaction(look))
        return await self._commit(voice_id, tenant, name, key, kept)

    async def find(self, tenant: str, voice_id: str) -> Row[Any]:
        """The tenant's voice. Raises `MalformedId` or `UnknownVoice`."""
        row = await self._database.row(find_voices([check_id("voi", voice_id)], tenant))
        if row is None:
            raise UnknownVoice
        return row

    async def remove(self, tenant: str, voice_id: str) -> None:
        """Remove a voice, its object first: while the store is away (`StorageUnavailable`) it stays as it was."""
        row = await self.find(tenant, voice_id)
        await self._intake.remove(row.key)
        await self._database.row(forget_voice(voice_id, tenant))

    async def _commit(self, voice_id: str, tenant: str, name: str, key: str, kept: StoredObject) -> Row[Any]:
        async def insert(connection: AsyncConnection) -> Row[Any]:
            await connection.execute(lock_quota(tenant))
            await self._check_room(connection, tenant)
            await connection.execute(forget_upload(voice_id))
            made = add_voice(voice_id, tenant, name=name, key=key, media_type=kept.media_type, bytes=kept.bytes)
            return (await connection.execute(made)).one()

        try:
            return await self._database.transaction(insert)
        except DatabaseUnavailable:
            log.warning("the voice %s may have been committed; if not, its object goes with old uploads", voice_id)
            raise
        except Exception:
            await self._intake.discard(key)
            raise

    async def _check_room(self, connection: AsyncConnection, tenant: str) -> None:
        if (await connection.execute(count_voices(tenant))).scalar_one() >= self._most:
            raise TooManyVoices(f"You keep {self._most} voices, as many as you may. {TooManyVoices.advice}")
