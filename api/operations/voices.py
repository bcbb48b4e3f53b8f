"""The voices that a tenant stores: adding, finding and removing them."""

import logging
from typing import Any

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from api.follow.job_lookup import stored_keys
from api.http.database import Database
from api.http.spooled_body import SpooledBody
from api.submit.media_intake import MediaIntake, StoredObject
from core.errors.limits import TooManyVoices
from core.errors.unavailable import DatabaseUnavailable
from core.errors.unknown import UnknownVoice
from core.ids import check_id, new_id
from core.settings import Settings
from jobs.params.media import Medium
from jobs.statements.budget import lock_tenant
from jobs.statements.media.uploads import add_upload, forget_upload
from jobs.statements.media.voices import add_voice, count_voices, find_voices, forget_voice

log = logging.getLogger(__name__)


class VoiceOperations:
    """Operations on stored voices. Each is a row and an object of its own, which lives as long as the row.

    Until the row exists, the object is registered as an upload under the voice's id, so that no job can name it as an
    input. Maintenance removes it when no voice was made of it.
    """

    def __init__(self, database: Database, intake: MediaIntake, settings: Settings) -> None:
        self._database = database
        self._intake = intake
        self._limit = settings.max_voices

    async def add(self, tenant: str, name: str, recording: Medium, body: SpooledBody | None) -> Row[Any]:
        """Store a recording, a `data:` URL or an upload, after the same checks as an input of a job; return its row.

        `body` is where a long `data:` URL is.

        Raises `TooManyVoices`, `UnknownInput`, `UnsupportedMedia`, `InputTooLarge`, `InputUnreadable` and
        `StorageUnavailable`, and then leaves nothing behind.
        """

        async def register(connection: AsyncConnection) -> dict[str, str]:
            await self._check_limit(connection, tenant)
            await connection.execute(add_upload(voice_id, tenant, key))
            return await stored_keys(connection, tenant, [recording])

        voice_id = new_id("voi")
        key = f"{tenant}/voices/{voice_id}"
        stored = await self._intake.store_copy(recording, key, await self._database.transaction(register), body)
        return await self._commit(voice_id, tenant, name, key, stored)

    async def find(self, tenant: str, voice_id: str) -> Row[Any]:
        """Return the tenant's voice. Raises `MalformedId` or `UnknownVoice`."""
        row = await self._database.row(find_voices([check_id("voi", voice_id)], tenant))
        if row is None:
            raise UnknownVoice
        return row

    async def remove(self, tenant: str, voice_id: str) -> None:
        """Remove a voice, its object first. Raises `StorageUnavailable`, and then changes nothing."""
        row = await self.find(tenant, voice_id)
        await self._intake.remove(row.key)
        await self._database.row(forget_voice(voice_id, tenant))

    async def _commit(self, voice_id: str, tenant: str, name: str, key: str, stored: StoredObject) -> Row[Any]:
        async def insert(connection: AsyncConnection) -> Row[Any]:
            await connection.execute(lock_tenant(tenant))
            await self._check_limit(connection, tenant)
            await connection.execute(forget_upload(voice_id))
            insertion = add_voice(
                voice_id, tenant, name=name, key=key, media_type=stored.media_type, bytes=stored.bytes
            )
            return (await connection.execute(insertion)).one()

        try:
            return await self._database.transaction(insert)
        except DatabaseUnavailable:
            log.warning(
                "voice: commit in doubt, the object is removed with old uploads if it failed voice=%s", voice_id
            )
            raise
        except Exception:
            await self._intake.discard(key)
            raise

    async def _check_limit(self, connection: AsyncConnection, tenant: str) -> None:
        if (await connection.execute(count_voices(tenant))).scalar_one() >= self._limit:
            raise TooManyVoices(f"You have reached your limit of {self._limit} voices. {TooManyVoices.advice}")
