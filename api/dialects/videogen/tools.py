"""The tools that have a model, and those that have none."""

from litestar import Controller, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from api.dialects.videogen.ids import to_native
from api.dialects.videogen.schema import (
    FilmTool,
    GenerateAvatar,
    GenerateImage,
    GenerateMusic,
    GenerateSoundEffect,
    GenerateVideoClip,
    PictureTool,
    TextToSpeech,
    ToolAccepted,
    ToolBody,
)
from api.dialects.videogen.translate import (
    actor_of,
    avatar_params,
    clip_params,
    cutout_params,
    described,
    film_cutout_params,
    image_params,
    music_params,
    parallax_params,
    picture_of,
    sound_params,
    speech_params,
    spread,
    upscale_image_params,
    upscale_video_params,
    vectorize_params,
)
from api.dialects.videogen.voices import choose_voice, known_voices
from api.http.auth import Caller, needs
from api.http.database import Database
from api.http.strict_json import StrictRequest
from api.operations.entities import EntityOperations, references_of
from api.submit.endpoint import IdempotencyKeyHeader, SubmitEndpoint
from core.errors.http import NotOffered, UnknownRoute
from jobs.params.registry import AnyParams
from jobs.params.requests.origin import Origin
from jobs.wire.dialects.videogen import NAME, execution_id
from pipelines.catalog.loader import Catalog

WITHOUT_MODEL = ("generate-motion-graphic",)
"""Tools of VideoGen of which no model is in the catalog."""


class ToolRoutes(Controller):
    """Routes that start a tool."""

    path = "/tools"
    opt = needs("jobs")

    @post("/generate-image", status_code=202)
    async def generate_image(
        self,
        request: StrictRequest,
        data: JSONBody[GenerateImage],
        caller: NamedDependency[Caller],
        entities: NamedDependency[EntityOperations],
        submit_endpoint: NamedDependency[SubmitEndpoint],
        idempotency_key: IdempotencyKeyHeader = None,
    ) -> ToolAccepted:
        """Make pictures from a prompt, guided by pictures if there are any."""
        named = [to_native("vg_enti", entity) for entity in data.entity_ids or ()]
        rows = await entities.find_all(caller, named)
        pictures = [picture_of(references_of(row)) for row in rows]
        words = "".join(described(row.name, row.description) for row in rows)
        params = image_params(data, [one for one in pictures if one is not None], words)
        return await _start(submit_endpoint, request, data, params, "GENERATE_IMAGE", idempotency_key)

    @post("/generate-video-clip", status_code=202)
    async def generate_video_clip(
        self,
        request: StrictRequest,
        data: JSONBody[GenerateVideoClip],
        submit_endpoint: NamedDependency[SubmitEndpoint],
        idempotency_key: IdempotencyKeyHeader = None,
    ) -> ToolAccepted:
        """Make a film from a first frame, or from the prompt alone where a model can."""
        return await _start(submit_endpoint, request, data, clip_params(data), "GENERATE_VIDEO_CLIP", idempotency_key)

    @post("/generate-avatar", status_code=202)
    async def generate_avatar(
        self,
        request: StrictRequest,
        data: JSONBody[GenerateAvatar],
        caller: NamedDependency[Caller],
        entities: NamedDependency[EntityOperations],
        submit_endpoint: NamedDependency[SubmitEndpoint],
        idempotency_key: IdempotencyKeyHeader = None,
    ) -> ToolAccepted:
        """Make the picture of an actor say a recording."""
        actor = await entities.find(caller, actor_of(data))
        params = avatar_params(data, picture_of(references_of(actor)))
        return await _start(submit_endpoint, request, data, params, "GENERATE_AVATAR", idempotency_key)

    @post("/text-to-speech", status_code=202)
    async def text_to_speech(
        self,
        request: StrictRequest,
        data: JSONBody[TextToSpeech],
        caller: NamedDependency[Caller],
        catalog: NamedDependency[Catalog],
        database: NamedDependency[Database],
        submit_endpoint: NamedDependency[SubmitEndpoint],
        idempotency_key: IdempotencyKeyHeader = None,
    ) -> ToolAccepted:
        """Speak a text with a stored or a built-in voice."""
        voice = choose_voice(await known_voices(caller, database, catalog), data.voice_id)
        return await _start(
            submit_endpoint, request, data, speech_params(data, voice.params), "TEXT_TO_SPEECH", idempotency_key
        )

    @post("/generate-sound-effect", status_code=202)
    async def generate_sound_effect(
        self,
        request: StrictRequest,
        data: JSONBody[GenerateSoundEffect],
        submit_endpoint: NamedDependency[SubmitEndpoint],
        idempotency_key: IdempotencyKeyHeader = None,
    ) -> ToolAccepted:
        """Make a sound from a prompt."""
        params = sound_params(data)
        return await _start(submit_endpoint, request, data, params, "GENERATE_SOUND_EFFECT", idempotency_key)

    @post("/generate-music", status_code=202)
    async def generate_music(
        self,
        request: StrictRequest,
        data: JSONBody[GenerateMusic],
        submit_endpoint: NamedDependency[SubmitEndpoint],
        idempotency_key: IdempotencyKeyHeader = None,
    ) -> ToolAccepted:
        """Make half a minute of music from a prompt."""
        return await _start(submit_endpoint, request, data, music_params(data), "GENERATE_MUSIC", idempotency_key)

    @post("/remove-image-background", status_code=202)
    async def remove_image_background(
        self,
        request: StrictRequest,
        data: JSONBody[PictureTool],
        submit_endpoint: NamedDependency[SubmitEndpoint],
        idempotency_key: IdempotencyKeyHeader = None,
    ) -> ToolAccepted:
        """Put the foreground of a picture on transparency."""
        params = cutout_params(data)
        return await _start(submit_endpoint, request, data, params, "REMOVE_IMAGE_BACKGROUND", idempotency_key)

    @post("/remove-video-background", status_code=202)
    async def remove_video_background(
        self,
        request: StrictRequest,
        data: JSONBody[FilmTool],
        submit_endpoint: NamedDependency[SubmitEndpoint],
        idempotency_key: IdempotencyKeyHeader = None,
    ) -> ToolAccepted:
        """Put the foreground of a film on transparency."""
        params = film_cutout_params(data)
        return await _start(submit_endpoint, request, data, params, "REMOVE_VIDEO_BACKGROUND", idempotency_key)

    @post("/vectorize-image", status_code=202)
    async def vectorize_image(
        self,
        request: StrictRequest,
        data: JSONBody[PictureTool],
        submit_endpoint: NamedDependency[SubmitEndpoint],
        idempotency_key: IdempotencyKeyHeader = None,
    ) -> ToolAccepted:
        """Make an SVG of a picture."""
        return await _start(submit_endpoint, request, data, vectorize_params(data), "VECTORIZE_IMAGE", idempotency_key)

    @post("/upscale-image", status_code=202)
    async def upscale_image(
        self,
        request: StrictRequest,
        data: JSONBody[PictureTool],
        submit_endpoint: NamedDependency[SubmitEndpoint],
        idempotency_key: IdempotencyKeyHeader = None,
    ) -> ToolAccepted:
        """Make a picture four times as large."""
        params = upscale_image_params(data)
        return await _start(submit_endpoint, request, data, params, "UPSCALE_IMAGE", idempotency_key)

    @post("/upscale-video", status_code=202)
    async def upscale_video(
        self,
        request: StrictRequest,
        data: JSONBody[FilmTool],
        submit_endpoint: NamedDependency[SubmitEndpoint],
        idempotency_key: IdempotencyKeyHeader = None,
    ) -> ToolAccepted:
        """Make a film twice as large."""
        params = upscale_video_params(data)
        return await _start(submit_endpoint, request, data, params, "UPSCALE_VIDEO", idempotency_key)

    @post("/image-3d-effect", status_code=202)
    async def image_3d_effect(
        self,
        request: StrictRequest,
        data: JSONBody[PictureTool],
        submit_endpoint: NamedDependency[SubmitEndpoint],
        idempotency_key: IdempotencyKeyHeader = None,
    ) -> ToolAccepted:
        """Move the camera around a picture."""
        return await _start(submit_endpoint, request, data, parallax_params(data), "IMAGE_3D_EFFECT", idempotency_key)

    @post("/{tool:str}", status_code=202, include_in_schema=False)
    async def no_model(self, tool: FromPath[str]) -> ToolAccepted:
        """Refuse a tool without a model, and an unknown one."""
        if tool in WITHOUT_MODEL:
            raise NotOffered(f"No model in the catalog of this service can do {tool}; its operator can add one.")
        raise UnknownRoute(f"No tool is called {tool[:80]!r}; look at the name in the path.")


async def _start(
    submit_endpoint: SubmitEndpoint,
    request: StrictRequest,
    body: ToolBody,
    params: AnyParams,
    tool: str,
    idempotency_key: str | None,
) -> ToolAccepted:
    """Submit the jobs of one execution."""
    submitted = await submit_endpoint.submit_together(
        request,
        spread(params, body.num_results),
        idempotency_key=idempotency_key,
        origin=Origin(dialect=NAME, tool=tool, temporary=bool(body.is_output_temporary)),
    )
    return ToolAccepted(execution_id(submitted[0].job))
