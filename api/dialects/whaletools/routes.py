"""WhaleTools' routes: generations and voices, below its base path and on the plain paths."""

from collections.abc import Sequence
from typing import Any

from litestar import Controller, Response, delete, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody
from litestar.response import Stream

from api.dialects.voice_choice import choose_voice, stored_id
from api.dialects.whaletools.backgrounds import background_params, batch_item
from api.dialects.whaletools.generations import Generations
from api.dialects.whaletools.media import WhaleMediaRoutes, WhaleUploadRoutes
from api.dialects.whaletools.schema import (
    BackgroundRequest,
    CloneRequest,
    CompletionRequest,
    ImageRequest,
    VideoRequest,
    VoiceItem,
    VoiceRequest,
)
from api.dialects.whaletools.stores import own_store
from api.dialects.whaletools.texts import WhaleTexts
from api.dialects.whaletools.translate import image_params, speech_params, text_params, video_params
from api.dialects.whaletools.voices import voice_item
from api.http.auth import Caller, needs
from api.http.database import Database
from api.http.dependencies import Router, provide
from api.http.query_parameters import IGNORES_QUERY
from api.http.received_file import ENVELOPE
from api.http.strict_json import StrictRequest
from api.operations.voice_directory import VoiceDirectory
from api.operations.voices import VoiceOperations
from api.submit.data_urls import is_data_url
from api.submit.endpoint import IdempotencyKeyHeader
from api.submit.media_intake import UPLOAD
from core.errors.fields import InvalidRequest, NulInText
from core.settings import Settings
from jobs.params.media import media_of
from jobs.params.requests.origin import Origin
from jobs.wire.dialects.whaletools import (
    NAME,
    BackgroundAnswer,
    CompletionAnswer,
    FailedAnswer,
    ImageAnswer,
    PendingAnswer,
    VideoAnswer,
    VoiceoverAnswer,
)
from pipelines.catalog.aliases import Aliases
from pipelines.catalog.loader import Catalog

BASE = "/whaletools"
MEDIA, STORE_MEDIA = "/v1/media", "/v1/stores/{store_id:str}/media"
PREFIXES = (BASE, "/v1/generate", "/v1/voices", MEDIA, "/v1/stores")
"""The base path, and the plain paths that the dialect has to itself."""
CLONE_SOURCE = "`audio_url` must be a `data:` URL or the `input_id` of an upload; send the file with POST /inputs/v1."


class GenerationRoutes(Controller):
    """Routes that make an image, a video, a recording, a cut-out or a text, and show one by its id."""

    path = "/v1/generate"
    opt = needs("jobs")

    @post("/image", status_code=200)
    async def image(
        self,
        request: StrictRequest,
        data: JSONBody[ImageRequest],
        generations: NamedDependency[Generations],
        idempotency_key: IdempotencyKeyHeader = None,
    ) -> Response[ImageAnswer | PendingAnswer]:
        """Make an image and answer with it."""
        params = image_params(data, generations.model("image", data.model))
        return await generations.make(request, params, idempotency_key, Origin(dialect=NAME, model=data.model))

    @get("/image/{generation:str}")
    async def show_image(
        self, generation: FromPath[str], caller: NamedDependency[Caller], generations: NamedDependency[Generations]
    ) -> Response[ImageAnswer | PendingAnswer | FailedAnswer]:
        """Show an image, or that it is not finished."""
        return await generations.show(caller, "image", generation)

    @post("/video", status_code=202)
    async def video(
        self,
        request: StrictRequest,
        data: JSONBody[VideoRequest],
        generations: NamedDependency[Generations],
        idempotency_key: IdempotencyKeyHeader = None,
    ) -> Response[PendingAnswer]:
        """Accept a video and answer with where it will be."""
        params = video_params(data, generations.model("video", data.model))
        return await generations.start(request, params, idempotency_key, Origin(dialect=NAME, model=data.model))

    @get("/video/{generation:str}")
    async def show_video(
        self, generation: FromPath[str], caller: NamedDependency[Caller], generations: NamedDependency[Generations]
    ) -> Response[VideoAnswer | PendingAnswer | FailedAnswer]:
        """Show a video, or that it is not finished."""
        return await generations.show(caller, "video", generation)

    @post("/voice", status_code=200)
    async def voice(
        self,
        request: StrictRequest,
        data: JSONBody[VoiceRequest],
        generations: NamedDependency[Generations],
        aliases: NamedDependency[Aliases],
        catalog: NamedDependency[Catalog],
        idempotency_key: IdempotencyKeyHeader = None,
    ) -> Response[VoiceoverAnswer | PendingAnswer]:
        """Speak a text and answer with the recording."""
        model = generations.model("speech", data.model)
        chosen = choose_voice(data.voice_id, model, aliases, catalog)
        params = speech_params(data, chosen, model)
        origin = Origin(dialect=NAME, model=data.model, voice=data.voice_id)
        return await generations.make(request, params, idempotency_key, origin)

    @get("/voice/{generation:str}")
    async def show_voice(
        self, generation: FromPath[str], caller: NamedDependency[Caller], generations: NamedDependency[Generations]
    ) -> Response[VoiceoverAnswer | PendingAnswer | FailedAnswer]:
        """Show a recording, or that it is not finished."""
        return await generations.show(caller, "speech", generation)

    @post(["/remove-background", "/remove-background/batch"], status_code=200)
    async def remove_background(
        self,
        request: StrictRequest,
        data: JSONBody[BackgroundRequest],
        generations: NamedDependency[Generations],
        settings: NamedDependency[Settings],
        idempotency_key: IdempotencyKeyHeader = None,
    ) -> Response[BackgroundAnswer | PendingAnswer | list[dict[str, Any]]]:
        """Remove the background of an image, or of each of several, and answer with what is left."""
        params = background_params(data, generations.model("remove-background", data.model))
        origin = Origin(dialect=NAME, model=data.model)
        if data.image_urls is None:
            return await generations.make(request, params[0], idempotency_key, origin)
        views = await generations.make_all(request, params, idempotency_key, origin)
        return Response([batch_item(view.job, settings) for view in views])

    @get("/remove-background/{generation:str}")
    async def show_background(
        self, generation: FromPath[str], caller: NamedDependency[Caller], generations: NamedDependency[Generations]
    ) -> Response[BackgroundAnswer | PendingAnswer | FailedAnswer]:
        """Show a cut-out, or that it is not finished."""
        return await generations.show(caller, "remove-background", generation)

    @post("/text", status_code=200)
    async def text(
        self,
        request: StrictRequest,
        data: JSONBody[CompletionRequest],
        generations: NamedDependency[Generations],
        texts: NamedDependency[WhaleTexts],
        idempotency_key: IdempotencyKeyHeader = None,
    ) -> Response[CompletionAnswer | PendingAnswer] | Stream:
        """Write a text and answer with it, or with its parts as they are written."""
        params = text_params(data, generations.model("text", data.model))
        origin = Origin(dialect=NAME, model=data.model)
        if data.stream:
            return await texts.stream(request, params, idempotency_key, origin)
        return await generations.make(request, params, idempotency_key, origin)

    @get("/text/{generation:str}")
    async def show_text(
        self, generation: FromPath[str], caller: NamedDependency[Caller], generations: NamedDependency[Generations]
    ) -> Response[CompletionAnswer | PendingAnswer | FailedAnswer]:
        """Show a text, or that it is not finished."""
        return await generations.show(caller, "text", generation)


class VoiceListRoutes(Controller):
    """Routes that list, store and remove voices."""

    path = "/v1/voices"
    opt = needs("media")

    @get()
    async def index(
        self, caller: NamedDependency[Caller], voice_directory: NamedDependency[VoiceDirectory]
    ) -> Sequence[VoiceItem]:
        """List the caller's voices, then those of the models."""
        return [voice_item(voice) for voice in await voice_directory.all(caller.tenant)]

    @post(status_code=201)
    async def clone(
        self,
        request: StrictRequest,
        data: JSONBody[CloneRequest],
        voices: NamedDependency[VoiceOperations],
        voice_directory: NamedDependency[VoiceDirectory],
    ) -> VoiceItem:
        """Store a recording as a voice."""
        if "\0" in data.name:
            raise NulInText("Remove the NUL character (U+0000) from `name`.", field="$.name")
        if not is_data_url(data.audio_url) and not data.audio_url.startswith(UPLOAD):
            raise InvalidRequest(CLONE_SOURCE, field="$.audio_url")
        (recording,) = media_of(data)
        row = await voices.add(request.user.tenant, data.name.strip(), recording, request.spooled_body)
        return voice_item((await voice_directory.stored([row]))[0])

    @delete("/{voice_id:str}")
    async def remove(
        self, voice_id: FromPath[str], caller: NamedDependency[Caller], voices: NamedDependency[VoiceOperations]
    ) -> None:
        """Remove a stored voice."""
        await voices.remove(caller.tenant, stored_id(voice_id))


def whaletools_routers(
    generations: Generations,
    texts: WhaleTexts,
    aliases: Aliases,
    voices: VoiceOperations,
    voice_directory: VoiceDirectory,
    database: Database,
    settings: Settings,
) -> list[Router]:
    """Return the routers: the same routes below the base path and on the plain paths."""
    shared = provide(
        generations=generations, texts=texts, aliases=aliases, voices=voices, voice_directory=voice_directory
    )
    file_limit = max(settings.media_body_limit, settings.library_file_bytes) + ENVELOPE
    routers: list[Router] = []
    for base in (BASE, ""):
        upload = Router("/", route_handlers=[WhaleUploadRoutes], request_max_body_size=file_limit)
        media: list[Any] = [WhaleMediaRoutes, upload]
        store = Router(STORE_MEDIA, route_handlers=media, guards=[own_store(database)])
        routers += [
            Router(
                f"{base}/",
                route_handlers=[GenerationRoutes, VoiceListRoutes],
                dependencies=shared,
                request_max_body_size=settings.media_body_limit,
                opt=IGNORES_QUERY,
                include_in_schema=bool(base),
            ),
            Router(
                f"{base}/",
                route_handlers=[Router(MEDIA, route_handlers=media), store],
                opt=IGNORES_QUERY,
                include_in_schema=bool(base),
            ),
        ]
    return routers
