"""The routers of VideoGen's wire format, below its base path and on the plain paths that are its own."""

from collections.abc import Sequence

from litestar import Router

from api.dialects.videogen.endpoints import EndpointRoutes
from api.dialects.videogen.entities import EntityRoutes
from api.dialects.videogen.executions import ExecutionRoutes
from api.dialects.videogen.files import FileRoutes
from api.dialects.videogen.resources import ResourceRoutes
from api.dialects.videogen.tools import ToolRoutes
from api.dialects.videogen.unbuilt import unbuilt_routes
from api.http.dependencies import provide
from api.http.query_parameters import IGNORES_QUERY
from api.operations.entities import EntityOperations
from api.operations.grouped_jobs import GroupedJobs
from api.operations.webhooks import WebhookOperations

BASE = "/videogen"
OWN = ("tools", "files", "entities", "webhooks", "resources", "me", "workflows", "projects", "assistant", "text")
"""First segments behind `/v1/` that no other service has, but for `/v1/files`, which is VideoGen's here."""
PREFIXES = (BASE, *(f"/v1/{name}" for name in OWN))


def videogen_routers(
    grouped_jobs: GroupedJobs, webhooks: WebhookOperations, entities: EntityOperations
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
                FileRoutes,
                *unbuilt_routes(),
            ],
            dependencies=provide(grouped_jobs=grouped_jobs, webhooks=webhooks, entities=entities),
            opt=IGNORES_QUERY,
            include_in_schema=False,
        )
        for path in (f"{BASE}/v1", "/v1")
    ]
