"""The router of the generate routes: a submit route and a status route for each modality."""

from api.follow.output_stream import OutputFeed
from api.follow.status import StatusBuilder
from api.http.dependencies import Router
from api.native.generate.factory import generate_controller
from api.submit.endpoint import SubmitEndpoint
from core.settings import Settings
from jobs.params.registry import MODALITIES


def generate_router(
    submit_endpoint: SubmitEndpoint, status_builder: StatusBuilder, output_feed: OutputFeed, settings: Settings
) -> Router:
    """Return the router; its bodies may hold media as `data:` URLs, and are larger than others for that."""
    controllers = [
        generate_controller(modality, submit_endpoint, status_builder, output_feed) for modality in MODALITIES
    ]
    return Router("/", route_handlers=controllers, request_max_body_size=settings.media_body_limit)
