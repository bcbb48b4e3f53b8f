"""The router of jobs, their outputs and signed downloads."""

from litestar import Router

from api.native.jobs.files import FileRoutes
from api.native.jobs.jobs import JobRoutes
from api.native.jobs.outputs import OutputRoutes


def jobs_router() -> Router:
    """Return the router."""
    return Router("/", route_handlers=[JobRoutes, OutputRoutes, FileRoutes])
