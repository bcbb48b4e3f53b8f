"""The router of uploads, stored voices and the media library."""

from api.http.dependencies import Router, provide
from api.http.received_file import ENVELOPE
from api.native.media.inputs import InputRoutes
from api.native.media.library import LibraryRoutes, LibraryUploadRoutes
from api.native.media.library_files import LibraryFileRoutes
from api.native.media.library_links import LibraryLinkRoutes
from api.native.media.viewer import ViewerRoutes
from api.native.media.voices import VoiceRoutes
from api.operations.voice_directory import VoiceDirectory
from api.operations.voice_samples import VoiceSamples
from api.operations.voices import VoiceOperations
from core.settings import Settings


def media_router(
    voices: VoiceOperations, directory: VoiceDirectory, samples: VoiceSamples, settings: Settings
) -> Router:
    """Return the router; the body of a new voice may hold a recording as a `data:` URL, and an input is a file."""
    input_router = Router("/", route_handlers=[InputRoutes], request_max_body_size=settings.input_max_bytes + ENVELOPE)
    voice_router = Router(
        "/",
        route_handlers=[VoiceRoutes],
        dependencies=provide(voices=voices, voice_directory=directory, voice_samples=samples),
        request_max_body_size=settings.media_body_limit,
    )
    library_router = Router(
        "/", route_handlers=[LibraryUploadRoutes], request_max_body_size=settings.library_file_bytes + ENVELOPE
    )
    links = (LibraryRoutes, LibraryLinkRoutes, LibraryFileRoutes, ViewerRoutes)
    return Router("/", route_handlers=[input_router, voice_router, library_router, *links])
