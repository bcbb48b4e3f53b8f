"""The voices that a tenant can use: its stored recordings, and the built-in voices of the models that are served."""

import asyncio
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any

from sqlalchemy import Row

from api.http.database import Database
from core.errors.unavailable import StorageUnavailable
from core.settings import Settings
from core.signing import sign_link
from core.storage.store import Store
from jobs.statements.media.voices import list_voices
from jobs.statements.queue.submit import served_models
from jobs.wire.links import public_link
from jobs.wire.voices import VoiceAnswer
from pipelines.catalog.loader import Catalog, ModelSpec
from pipelines.catalog.requirements import speaks

BUILTIN = "builtin:"
"""The prefix of the id of a model's built-in voice; the model's id follows, and of several the voice after a colon."""


def builtin_id(spec: ModelSpec, voice: str | None) -> str:
    """Return the id of a voice of the model's own."""
    return f"{BUILTIN}{spec.id}" + (f":{voice}" if voice else "")


def builtin_voice(name: str, catalog: Catalog) -> tuple[ModelSpec, str | None] | None:
    """Return the model and the voice that an id without its prefix means: the first of several if none is named."""
    owner, _, voice = name.partition(":")
    for spec in catalog.of("speech"):
        if spec.id == owner and spec.voice is not None and (not voice or voice in spec.voices):
            return spec, voice or next(iter(spec.voices), None)
    return None


def sample_path(voice_id: str) -> str:
    """Return the path of the stable link to a built-in voice's sample."""
    return f"/voices/v1/{voice_id}/sample"


class VoiceDirectory:
    """Lists voices as the API answers them."""

    def __init__(self, database: Database, catalog: Catalog, store: Store, settings: Settings) -> None:
        self._database = database
        self._catalog = catalog
        self._store = store
        self._settings = settings

    async def all(self, tenant: str, model: str | None = None, language: str | None = None) -> list[VoiceAnswer]:
        """Return the tenant's stored voices, newest first, then the built-in ones, of one model or language if named.

        A stored voice works with every model that supports voice cloning, and speaks the language of the text.
        """
        matching = [
            spec
            for spec in self._catalog.of("speech")
            if model in (None, spec.id) and (language is None or speaks(spec, language))
        ]
        rows: Sequence[Row[Any]] = ()
        if model is None or any("reference-voice" in spec.capabilities for spec in matching):
            rows = await self._database.rows(list_voices(tenant))
        return await self.stored(rows) + await self.builtin(matching)

    async def stored(self, rows: Iterable[Row[Any]]) -> list[VoiceAnswer]:
        """Return the answers for stored voices. Links are signed in a thread, since signing may ask the store."""
        return await asyncio.to_thread(lambda: [self._stored(row) for row in rows])

    async def builtin(self, specs: Iterable[ModelSpec]) -> list[VoiceAnswer]:
        """Return the built-in voices of the models that are served now."""
        served = {row[0] for row in await self._database.rows(served_models())}
        return [
            VoiceAnswer(
                voice_id=builtin_id(spec, voice),
                name=spec.voices[voice] if voice else spec.voice or "",
                kind="builtin",
                model=spec.id,
                voice=voice,
                languages=spec.languages,
                preview_url=self._sample_link(builtin_id(spec, voice)),
            )
            for spec in specs
            if spec.voice is not None and spec.id in served
            for voice in spec.voices or (None,)
        ]

    def _stored(self, row: Row[Any]) -> VoiceAnswer:
        return VoiceAnswer(
            voice_id=row.id,
            name=row.name,
            kind="stored",
            media_type=row.media_type,
            bytes=row.bytes,
            preview_url=self._recording_link(row),
            created_at=row.created_at,
        )

    def _recording_link(self, row: Row[Any]) -> str | None:
        with suppress(StorageUnavailable):  # the voice itself is usable
            return self._store.link(row.key, seconds=self._settings.link_seconds, media_type=row.media_type)
        return None

    def _sample_link(self, voice_id: str) -> str:
        path = sample_path(voice_id)
        return public_link(self._settings, f"{path}?signature={sign_link(self._settings.secret_key, path)}")
