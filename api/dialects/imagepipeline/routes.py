"""ImagePipeline's router, at /imagepipeline."""

from api.dialects.imagepipeline.account import AccountRoutes
from api.dialects.imagepipeline.errors import PATH
from api.dialects.imagepipeline.jobs import operation_controller
from api.dialects.imagepipeline.operations import OPERATIONS, SEGMENTATION
from api.dialects.imagepipeline.profiles import LenientProfileRoutes
from api.dialects.imagepipeline.segments import SegmentAnswers, SegmentRoutes
from api.dialects.imagepipeline.uploads import UploadRoutes
from api.http.auth import needs
from api.http.dependencies import Router, provide
from api.http.query_parameters import IGNORES_QUERY
from api.http.received_file import ENVELOPE
from api.operations.profiles import ProfileOperations
from core.settings import Settings


def imagepipeline_router(profiles: ProfileOperations, segment_answers: SegmentAnswers, settings: Settings) -> Router:
    """Return the router; its bodies may hold media as `data:` URLs, and an upload is a file."""
    uploads = Router("/", route_handlers=[UploadRoutes], request_max_body_size=settings.input_max_bytes + ENVELOPE)
    jobs = Router(
        "/",
        route_handlers=[
            SegmentRoutes,
            *(operation_controller(operation) for operation in OPERATIONS if operation is not SEGMENTATION),
        ],
        request_max_body_size=settings.media_body_limit,
        opt=needs("jobs"),
    )
    return Router(
        PATH,
        route_handlers=[uploads, jobs, LenientProfileRoutes, AccountRoutes],
        dependencies=provide(profiles=profiles, segment_answers=segment_answers),
        opt=IGNORES_QUERY,
    )
