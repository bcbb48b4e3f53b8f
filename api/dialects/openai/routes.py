"""The routers of OpenAI's wire format, below its base path and on the plain paths that are its own."""

from collections.abc import Sequence
from typing import Any

from litestar import Router

from api.dialects.openai.image_answers import OpenAIImages
from api.dialects.openai.image_routes import OpenAIImageRoutes
from api.dialects.openai.model_routes import OpenAIModelRoutes
from api.dialects.openai.requests import OpenAIRequests
from api.dialects.openai.speech_routes import OpenAISpeechRoutes
from api.dialects.openai.text_routes import embed, refuse_text
from api.dialects.openai.video_routes import OpenAIVideoRoutes
from api.http.dependencies import provide
from api.http.query_parameters import IGNORES_QUERY
from api.operations.server_commands import ServerCommands
from api.operations.uploads import UploadOperations
from api.operations.voices import VoiceOperations
from pipelines.catalog.aliases import Aliases

BASE = "/openai"
OWN = ("images", "audio", "videos", "models", "batches", "embeddings", "chat", "completions", "responses")
"""First segments behind `/v1/` that no other service has; `/v1/files` is VideoGen's."""
PREFIXES = (BASE, *(f"/v1/{name}" for name in OWN))


def openai_routers(
    requests: OpenAIRequests,
    images: OpenAIImages,
    uploads: UploadOperations,
    aliases: Aliases,
    voices: VoiceOperations,
    server_commands: ServerCommands,
) -> Sequence[Router]:
    """Return the routers."""
    shared = provide(
        openai_requests=requests,
        openai_images=images,
        uploads=uploads,
        aliases=aliases,
        voices=voices,
        server_commands=server_commands,
    )
    handlers: list[Any] = [OpenAIImageRoutes, OpenAISpeechRoutes, OpenAIVideoRoutes, OpenAIModelRoutes]
    handlers += [embed, refuse_text]
    return [
        Router(
            f"{base}/v1",
            route_handlers=handlers,
            dependencies=shared,
            opt=IGNORES_QUERY,
            include_in_schema=bool(base),
        )
        for base in (BASE, "")
    ]
