"""The routers of VideoGen's wire format, below its base path and on the plain paths that are its own."""

from collections.abc import Sequence

from litestar import HttpMethod
from litestar.handlers import HTTPRouteHandler, route

from api.dialects.videogen.endpoints import EndpointRoutes
from api.dialects.videogen.entities import EntityRoutes
from api.dialects.videogen.executions import ExecutionRoutes
from api.dialects.videogen.files import FileAnswers, VideoGenFileRoutes, file_action_routes
from api.dialects.videogen.resources import ResourceRoutes
from api.dialects.videogen.tools import ToolRoutes
from api.http.auth import ANY_KEY
from api.http.dependencies import Router, provide
from api.http.query_parameters import IGNORES_QUERY
from api.operations.entities import EntityOperations
from api.operations.grouped_jobs import GroupedJobs
from api.operations.webhooks import WebhookOperations
from core.errors.http import NotOffered

BASE = "/videogen"
NO_EDITOR = "Projects and their editor are not offered by this service."
NO_ASSISTANT = "The assistant is not offered by this service."
UNBUILT = {
    "projects": NO_EDITOR,
    "timeline-interchange": NO_EDITOR,
    "assistants": NO_ASSISTANT,
    "assistant-messages": NO_ASSISTANT,
    "text": "No model in the catalog of this service writes text; its operator can add one.",
}
"""What VideoGen has and this service does not: the first segments of its paths, and what a caller is answered."""
OWN = ("tools", "files", "entities", "webhooks", "resources", "me", "workflows", *UNBUILT)
"""First segments behind `/v1/` that no other service has, but for `/v1/files`, which is VideoGen's here."""
PREFIXES = (BASE, *(f"/v1/{name}" for name in OWN))
METHODS = [HttpMethod.GET, HttpMethod.POST, HttpMethod.DELETE, HttpMethod.PATCH, HttpMethod.PUT]


def videogen_routers(
    grouped_jobs: GroupedJobs, webhooks: WebhookOperations, entities: EntityOperations, file_answers: FileAnswers
) -> Sequence[Router]:
    """Return the routers."""
    return [
        Router(
            path,
            route_handlers=[
                ToolRoutes,
                ExecutionRoutes,
                ResourceRoutes,
                EndpointRoutes,
                EntityRoutes,
                VideoGenFileRoutes,
                *file_action_routes(),
                *unbuilt_routes(),
            ],
            dependencies=provide(
                grouped_jobs=grouped_jobs, webhooks=webhooks, entities=entities, file_answers=file_answers
            ),
            opt=IGNORES_QUERY,
            include_in_schema=path.startswith(BASE),
        )
        for path in (f"{BASE}/v1", "/v1")
    ]


def unbuilt_routes() -> list[HTTPRouteHandler]:
    """Return a route for every path below each of them."""
    return [_refusal(name, sentence) for name, sentence in UNBUILT.items()]


def _refusal(name: str, sentence: str) -> HTTPRouteHandler:
    @route([f"/{name}", f"/{name}/{{rest:path}}"], http_method=METHODS, name=None, opt=ANY_KEY, include_in_schema=False)
    async def refuse() -> None:
        raise NotOffered(sentence)

    return refuse
