"""The voices of VideoGen's wire format: stored recordings of the tenant, and the built-in voices of models."""

from typing import Any

import msgspec

from api.dialects.videogen.ids import from_native
from api.http.auth import Caller
from api.http.database import Database
from core.errors.fields import OutOfRange
from jobs.statements.media.voices import list_voices
from jobs.statements.queue.submit import served_models
from pipelines.catalog.loader import Catalog

PREFIX = "vg_voic"


class TtsVoice(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """A voice; `languageCode` is the first of those that it speaks."""

    voice_id: str
    language_code: str
    display_name: str
    display_gender: str = "NEUTRAL"
    accent: str | None = None
    description: str | None = None
    supports_direct_tool_execution: bool = True
    supports_all_languages: bool = False
    is_deprecated: bool = False


class KnownVoice(msgspec.Struct, frozen=True):
    """A voice as it is listed, and the parameters of speech that choose it."""

    shown: TtsVoice
    params: dict[str, Any]


async def known_voices(caller: Caller, database: Database, catalog: Catalog) -> list[KnownVoice]:
    """Return the tenant's stored voices, newest first, then the built-in voices of the models that are served now."""
    served = {row[0] for row in await database.rows(served_models())}
    stored = [
        KnownVoice(
            TtsVoice(
                voice_id=from_native(PREFIX, row.id),
                language_code="en",
                display_name=row.name,
                description="A recording that you have stored.",
                supports_all_languages=True,
            ),
            {"target_voice_path": row.id},
        )
        for row in await database.rows(list_voices(caller.tenant))
    ]
    builtin = [
        KnownVoice(
            TtsVoice(
                voice_id=f"{PREFIX}_{spec.id}" + (f"_{voice}" if voice else ""),
                language_code="en" if "en" in spec.languages or not spec.languages else spec.languages[0],
                display_name=spec.voices[voice] if voice else spec.voice,
                description=f"The voice of {spec.title}.",
                supports_all_languages=len(spec.languages) > 1,
            ),
            {"model": spec.id, "voice": voice},
        )
        for spec in catalog.of("speech")
        if spec.voice is not None and spec.id in served
        for voice in spec.voices or (None,)
    ]
    return stored + builtin


def choose_voice(voices: list[KnownVoice], named: str) -> KnownVoice:
    """Return the voice of this id or display name. Raises `OutOfRange`."""
    wanted = named.strip().casefold()
    for known in voices:
        if named == known.shown.voice_id or wanted == known.shown.display_name.casefold():
            return known
    raise OutOfRange(
        f"`voiceId` {named[:80]!r} is neither the id nor the display name of a voice; GET /v1/resources/tts-voices "
        "lists them.",
        field="$.voiceId",
    )
