"""Tool executions: list, info, cancel."""

from collections.abc import Sequence

import msgspec
from litestar import Controller, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery

from api.dialects.videogen.ids import to_native
from api.dialects.videogen.paging import Limit
from api.dialects.videogen.schema import ToolAccepted
from api.http.auth import Caller, needs
from api.http.pagination import pack, unpack
from api.operations.grouped_jobs import GroupedJobs
from api.operations.media_library import MediaLibrary
from core.settings import Settings
from jobs.job import Job, JobStatus
from jobs.wire.dialects.videogen import NAME, NO_FILES, Files, ToolExecution, execution_id, execution_of


class ExecutionPage(msgspec.Struct, frozen=True, rename="camel"):
    """Executions, newest first."""

    tool_executions: list[ToolExecution]
    has_more: bool
    next_cursor: str | None


class ExecutionRoutes(Controller):
    """Routes that list, show and cancel executions."""

    path = "/tools/executions"
    opt = needs("jobs")

    @get()
    async def index(
        self,
        caller: NamedDependency[Caller],
        grouped_jobs: NamedDependency[GroupedJobs],
        media_library: NamedDependency[MediaLibrary],
        settings: NamedDependency[Settings],
        limit: Limit = 50,
        cursor: FromQuery[str | None] = None,
    ) -> ExecutionPage:
        """Return your executions."""
        before = unpack(cursor) if cursor else None
        groups, last = await grouped_jobs.page(caller, NAME, limit=limit, before=before)
        files = await _files_of([job for jobs in groups for job in jobs], caller, media_library)
        shown = [execution_of(jobs, settings, files) for jobs in groups]
        return ExecutionPage(shown, last is not None, pack(last) if last is not None else None)

    @get("/{execution:str}")
    async def show(
        self,
        execution: FromPath[str],
        caller: NamedDependency[Caller],
        grouped_jobs: NamedDependency[GroupedJobs],
        media_library: NamedDependency[MediaLibrary],
        settings: NamedDependency[Settings],
    ) -> ToolExecution:
        """Return an execution as it is now."""
        jobs = await grouped_jobs.find(caller, to_native("vg_exec", execution))
        return execution_of(jobs, settings, await _files_of(jobs, caller, media_library))

    @post("/{execution:str}/cancel", status_code=202)
    async def cancel(
        self,
        execution: FromPath[str],
        caller: NamedDependency[Caller],
        grouped_jobs: NamedDependency[GroupedJobs],
    ) -> ToolAccepted:
        """Cancel what has not ended of an execution."""
        jobs = await grouped_jobs.cancel(caller, to_native("vg_exec", execution))
        return ToolAccepted(execution_id(jobs[0]))


async def _files_of(jobs: Sequence[Job], caller: Caller, media_library: MediaLibrary) -> Files:
    """Return the items that the outputs of completed jobs are; nothing is read where none has completed."""
    completed = [job.id for job in jobs if job.status is JobStatus.COMPLETED]
    return await media_library.find_outputs(caller, completed) if completed else NO_FILES
