"""The router of uploads and stored voices."""

from litestar import Router

from api.http.dependencies import provide
from api.native.media.inputs import InputRoutes
from api.native.media.voices import VoiceRoutes
from api.operations.voices import VoiceOperations
from core.settings import Settings


def media_router(voices: VoiceOperations, settings: Settings) -> Router:
    """Return the router; the body of a new voice may hold a recording as a `data:` URL."""
    voice_router = Router(
        "/",
        route_handlers=[VoiceRoutes],
        dependencies=provide(voices=voices),
        request_max_body_size=settings.media_body_limit,
    )
    return Router("/", route_handlers=[InputRoutes, voice_router])
