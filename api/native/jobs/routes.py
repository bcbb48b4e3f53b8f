"""The router of jobs, their outputs and signed downloads."""

from api.http.dependencies import Router, provide
from api.native.jobs.control import JobControlRoutes, ManyJobRoutes
from api.native.jobs.estimates import estimate
from api.native.jobs.files import FileRoutes
from api.native.jobs.jobs import JobRoutes
from api.native.jobs.manifests import ManifestRoutes
from api.native.jobs.outputs import OutputRoutes
from api.native.jobs.sound import SoundRoutes
from api.operations.job_control import JobControl
from api.operations.server_commands import ServerCommands
from api.submit.redrives import Redrives
from api.submit.reproductions import Reproductions
from core.settings import Settings


def jobs_router(
    job_control: JobControl,
    server_commands: ServerCommands,
    reproductions: Reproductions,
    redrives: Redrives,
    settings: Settings,
) -> Router:
    """Return the router; the body of many jobs is as large as one with media may be."""
    many = Router("/", route_handlers=[ManyJobRoutes], request_max_body_size=settings.media_body_limit)
    return Router(
        "/",
        route_handlers=[
            JobRoutes,
            SoundRoutes,
            JobControlRoutes,
            ManifestRoutes,
            estimate,
            OutputRoutes,
            FileRoutes,
            many,
        ],
        dependencies=provide(
            job_control=job_control, server_commands=server_commands, reproductions=reproductions, redrives=redrives
        ),
    )
