"""/voices/v1: stored recordings that texts are spoken like, and the built-in voices of models."""

from typing import Annotated, ClassVar

import msgspec
from litestar import Controller, MediaType, Response, delete, get, post
from litestar.di import NamedDependency
from litestar.openapi.spec import Example
from litestar.params import Body, FromPath, QueryParameter
from msgspec import Meta

from api.http.auth import NO_SECURITY, PUBLIC, Caller, needs
from api.http.strict_json import BODY_ERRORS, StrictRequest
from api.openapi.documents import error_responses
from api.operations.voice_directory import BUILTIN, VoiceDirectory, sample_path
from api.operations.voice_samples import VoiceSamples
from api.operations.voices import VoiceOperations
from api.submit.data_urls import is_data_url
from api.submit.media_intake import UPLOAD
from core.errors.access import BadSignature
from core.errors.fields import InvalidRequest, NulInText
from core.errors.inputs import InputTooLarge, InputUnreadable, UnknownInput, UnsupportedMedia
from core.errors.limits import TooManyVoices
from core.errors.unavailable import DatabaseUnavailable, SampleUnavailable, StorageUnavailable
from core.errors.unknown import MalformedId, UnknownVoice
from core.settings import Settings
from core.signing import check_link
from jobs.params.media import MediaKind, media_of
from jobs.wire.voices import VoiceAnswer, VoiceList
from pipelines.catalog.loader import Catalog

SOURCE_ADVICE = "`source` must be a `data:` URL or the `input_id` of an upload; send the file with POST /inputs/v1."

EXAMPLES = [
    Example(summary="An upload", value={"name": "Anna", "source": "inp_6f3b2c1d9e8a47508b6c5d4e3f2a1b09"}),
    Example(summary="A short recording", value={"name": "Anna", "source": "data:audio/wav;base64,UklGRiQAAABXQVZF…"}),
]
ERRORS = (
    *BODY_ERRORS,
    *(NulInText, UnknownInput, UnsupportedMedia, InputTooLarge, InputUnreadable, TooManyVoices, StorageUnavailable),
)

Signature = Annotated[str, QueryParameter(description="As in the link.")]
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
    opt = needs("media")

    @post(status_code=201, responses=error_responses(*ERRORS), summary="Store a voice")
    async def create(
        self,
        request: StrictRequest,
        data: Annotated[NewVoice, Body(examples=EXAMPLES)],
        caller: NamedDependency[Caller],
        voices: NamedDependency[VoiceOperations],
        voice_directory: NamedDependency[VoiceDirectory],
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
        return (await voice_directory.stored([row]))[0]

    @get(responses=error_responses(), summary="Voices")
    async def index(
        self,
        caller: NamedDependency[Caller],
        voice_directory: NamedDependency[VoiceDirectory],
        model: ModelFilter = None,
        language: LanguageFilter = None,
    ) -> VoiceList:
        """Return your stored voices, and the built-in ones of speech models that are served now.

        A stored voice works with every model that supports voice cloning, and speaks the language of the text.
        """
        return VoiceList(await voice_directory.all(caller.tenant, model, language))

    @get("/{voice_id:str}", responses=error_responses(MalformedId, UnknownVoice), summary="One voice")
    async def show(
        self,
        voice_id: FromPath[str],
        caller: NamedDependency[Caller],
        catalog: NamedDependency[Catalog],
        voices: NamedDependency[VoiceOperations],
        voice_directory: NamedDependency[VoiceDirectory],
    ) -> VoiceAnswer:
        """Return a voice, with a new `preview_url`."""
        if voice_id.startswith(BUILTIN):
            for builtin in await voice_directory.builtin(catalog.of("speech")):
                if builtin.voice_id == voice_id:
                    return builtin
            raise UnknownVoice
        return (await voice_directory.stored([await voices.find(caller.tenant, voice_id)]))[0]

    @get(
        "/{voice_id:str}/sample",
        opt=PUBLIC,
        security=NO_SECURITY,
        status_code=302,
        responses=error_responses(BadSignature, UnknownVoice, SampleUnavailable, DatabaseUnavailable, key=False),
        response_description="`Location` is the recording.",
        summary="A sample of a built-in voice",
    )
    async def sample(
        self,
        voice_id: FromPath[str],
        voice_samples: NamedDependency[VoiceSamples],
        settings: NamedDependency[Settings],
        signature: Signature = "",
    ) -> Response[None]:
        """Redirect to a sentence in this voice, which is spoken when it is first asked for: the `preview_url`."""
        check_link(settings.secret_key, sample_path(voice_id), signature)
        location = await voice_samples.link(voice_id.removeprefix(BUILTIN))
        return Response(None, media_type=MediaType.TEXT, status_code=302, headers={"Location": location})

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
