"""/voices/v1: stored recordings that texts are spoken like, and the built-in voices of models."""

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from typing import Annotated, Any, ClassVar

import msgspec
from litestar import Controller, delete, get, post
from litestar.di import NamedDependency
from litestar.openapi.spec import Example
from litestar.params import Body, FromPath, QueryParameter, SkipValidation
from msgspec import Meta
from sqlalchemy import Row

from api.http.auth import Caller
from api.http.database import Database
from api.http.strict_json import BODY_ERRORS, StrictRequest
from api.openapi.documents import error_responses
from api.operations.voices import VoiceOperations
from api.submit.data_urls import is_data_url
from api.submit.media_intake import UPLOAD
from core.errors.fields import InvalidRequest, NulInText
from core.errors.inputs import InputTooLarge, InputUnreadable, UnknownInput, UnsupportedMedia
from core.errors.limits import TooManyVoices
from core.errors.unavailable import StorageUnavailable
from core.errors.unknown import MalformedId, UnknownVoice
from core.settings import Settings
from core.storage.store import Store
from jobs.params.media import MediaKind, media_of
from jobs.statements.media.voices import list_voices
from jobs.statements.queue.submit import served_models
from jobs.wire.voices import VoiceAnswer, VoiceList
from pipelines.catalog.loader import Catalog, ModelSpec
from pipelines.catalog.requirements import speaks

BUILTIN = "builtin:"
"""The prefix of the id of a model's built-in voice; the model's id follows."""

SOURCE_ADVICE = "`source` must be a `data:` URL or the `input_id` of an upload; send the file with POST /inputs/v1."

EXAMPLES = [
    Example(summary="An upload", value={"name": "Anna", "source": "inp_6f3b2c1d9e8a47508b6c5d4e3f2a1b09"}),
    Example(summary="A short recording", value={"name": "Anna", "source": "data:audio/wav;base64,UklGRiQAAABXQVZF…"}),
]
ERRORS = (
    *BODY_ERRORS,
    *(NulInText, UnknownInput, UnsupportedMedia, InputTooLarge, InputUnreadable, TooManyVoices, StorageUnavailable),
)

ModelFilter = Annotated[str | None, QueryParameter(description="Only voices that this model can use.")]
LanguageFilter = Annotated[str | None, QueryParameter(description="Only voices that can speak this language, e.g. de.")]


class NewVoice(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A recording to store: best 10 s of one person, at most 60 s."""

    media: ClassVar[dict[str, MediaKind]] = {"source": "audio"}

    name: Annotated[str, Meta(min_length=1, max_length=100, pattern=r"\S", description="What you call it.")]
    source: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=28_000_000,
            description="A `data:` URL, or the `input_id` of POST /inputs/v1: WAV, MP3, OGG, FLAC, M4A, AAC or WebM.",
        ),
    ]


class VoiceRoutes(Controller):
    """Routes that store, list, show and remove voices."""

    path = "/voices/v1"
    tags = ("Generate",)

    @post(status_code=201, responses=error_responses(*ERRORS), summary="Store a voice")
    async def create(
        self,
        request: StrictRequest,
        data: Annotated[NewVoice, Body(examples=EXAMPLES)],
        caller: NamedDependency[Caller],
        voices: NamedDependency[VoiceOperations],
        store: NamedDependency[SkipValidation[Store]],
        settings: NamedDependency[Settings],
    ) -> VoiceAnswer:
        """Store a copy of the recording until you remove it.

        The jobs that name it find out whether it can be decoded and is long enough for their model.
        """
        if "\0" in data.name:
            raise NulInText("Remove the NUL character (U+0000) from `name`.", field="$.name")
        if not is_data_url(data.source) and not data.source.startswith(UPLOAD):
            raise InvalidRequest(SOURCE_ADVICE, field="$.source")
        (recording,) = media_of(data)
        row = await voices.add(caller.tenant, data.name.strip(), recording, request.spooled_body)
        return (await _stored_voices([row], store, settings))[0]

    @get(responses=error_responses(), summary="Voices")
    async def index(
        self,
        caller: NamedDependency[Caller],
        catalog: NamedDependency[Catalog],
        database: NamedDependency[Database],
        store: NamedDependency[SkipValidation[Store]],
        settings: NamedDependency[Settings],
        model: ModelFilter = None,
        language: LanguageFilter = None,
    ) -> VoiceList:
        """Return your stored voices, and the built-in ones of speech models that are served now.

        A stored voice works with every model that supports voice cloning, and speaks the language of the text.
        """
        matching = [
            spec
            for spec in catalog.of("speech")
            if model in (None, spec.id) and (language is None or speaks(spec, language))
        ]
        stored: Iterable[Row[Any]] = ()
        if model is None or any("reference-voice" in spec.capabilities for spec in matching):
            stored = await database.rows(list_voices(caller.tenant))
        return VoiceList(await _stored_voices(stored, store, settings) + await _builtin_voices(database, matching))

    @get("/{voice_id:str}", responses=error_responses(MalformedId, UnknownVoice), summary="One voice")
    async def show(
        self,
        voice_id: FromPath[str],
        caller: NamedDependency[Caller],
        catalog: NamedDependency[Catalog],
        database: NamedDependency[Database],
        voices: NamedDependency[VoiceOperations],
        store: NamedDependency[SkipValidation[Store]],
        settings: NamedDependency[Settings],
    ) -> VoiceAnswer:
        """Return a voice, with a new `preview_url`."""
        if voice_id.startswith(BUILTIN):
            for builtin in await _builtin_voices(database, catalog.of("speech")):
                if builtin.voice_id == voice_id:
                    return builtin
            raise UnknownVoice
        return (await _stored_voices([await voices.find(caller.tenant, voice_id)], store, settings))[0]

    @delete(
        "/{voice_id:str}",
        responses=error_responses(MalformedId, UnknownVoice, StorageUnavailable),
        summary="Remove a voice",
    )
    async def remove(
        self, voice_id: FromPath[str], caller: NamedDependency[Caller], voices: NamedDependency[VoiceOperations]
    ) -> None:
        """Remove the voice and its recording.

        A job that named it and still waits for its inputs fails with `input_unreachable`; one that has them goes on.
        """
        await voices.remove(caller.tenant, voice_id)


async def _stored_voices(rows: Iterable[Row[Any]], store: Store, settings: Settings) -> list[VoiceAnswer]:
    """Return the answers for stored voices. Links are signed in a thread, since signing may ask the store."""

    def link(row: Row[Any]) -> str | None:
        with suppress(StorageUnavailable):  # the voice itself is usable
            return store.link(row.key, seconds=settings.link_seconds, media_type=row.media_type)
        return None

    def answer(row: Row[Any]) -> VoiceAnswer:
        return VoiceAnswer(
            voice_id=row.id,
            name=row.name,
            kind="stored",
            media_type=row.media_type,
            bytes=row.bytes,
            preview_url=link(row),
            created_at=row.created_at,
        )

    return await asyncio.to_thread(lambda: [answer(row) for row in rows])


async def _builtin_voices(database: Database, specs: Iterable[ModelSpec]) -> list[VoiceAnswer]:
    """Return the built-in voices of the models that are served now."""
    served = {row[0] for row in await database.rows(served_models())}
    return [
        VoiceAnswer(
            voice_id=BUILTIN + spec.id, name=spec.voice, kind="builtin", model=spec.id, languages=spec.languages
        )
        for spec in specs
        if spec.voice is not None and spec.id in served
    ]
