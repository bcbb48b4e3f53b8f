"""The router of jobs, their outputs and signed downloads."""

from api.http.dependencies import Router, provide
from api.native.jobs.files import FileRoutes
from api.native.jobs.jobs import JobRoutes
from api.native.jobs.outputs import OutputRoutes
from api.operations.server_commands import ServerCommands


def jobs_router(server_commands: ServerCommands) -> Router:
    """Return the router."""
    return Router(
        "/",
        route_handlers=[JobRoutes, OutputRoutes, FileRoutes],
        dependencies=provide(server_commands=server_commands),
    )
