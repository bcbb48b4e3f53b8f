"""The router of the generate routes: a submit route and a status route for each modality."""

from litestar import Router

from api.native.generate.cutout import CUTOUT
from api.native.generate.factory import generate_controller
from api.native.generate.image import IMAGE
from api.native.generate.mesh import MESH
from api.native.generate.speech import SPEECH
from api.native.generate.video import VIDEO
from core.settings import Settings

GENERATE_ROUTES = (IMAGE, VIDEO, CUTOUT, SPEECH, MESH)


def generate_router(settings: Settings) -> Router:
    """Return the router; its bodies may hold media as `data:` URLs, and are larger than others for that."""
    controllers = [generate_controller(route) for route in GENERATE_ROUTES]
    return Router("/", route_handlers=controllers, request_max_body_size=settings.media_body_limit)
