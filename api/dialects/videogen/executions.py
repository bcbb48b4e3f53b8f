"""Tool executions: list, info, cancel."""

import msgspec
from litestar import Controller, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery

from api.dialects.videogen.ids import to_native
from api.dialects.videogen.paging import Limit
from api.dialects.videogen.schema import ToolAccepted
from api.http.auth import Caller
from api.http.pagination import pack, unpack
from api.operations.grouped_jobs import GroupedJobs
from core.settings import Settings
from jobs.wire.dialects.videogen import NAME, ToolExecution, execution_id, execution_of


class ExecutionPage(msgspec.Struct, frozen=True, rename="camel"):
    """Executions, newest first."""

    tool_executions: list[ToolExecution]
    has_more: bool
    next_cursor: str | None


class ExecutionRoutes(Controller):
    """Routes that list, show and cancel executions."""

    path = "/tools/executions"

    @get()
    async def index(
        self,
        caller: NamedDependency[Caller],
        grouped_jobs: NamedDependency[GroupedJobs],
        settings: NamedDependency[Settings],
        limit: Limit = 50,
        cursor: FromQuery[str | None] = None,
    ) -> ExecutionPage:
        """Return your executions."""
        before = unpack(cursor) if cursor else None
        groups, last = await grouped_jobs.page(caller, NAME, limit=limit, before=before)
        shown = [execution_of(jobs, settings) for jobs in groups]
        return ExecutionPage(shown, last is not None, pack(last) if last is not None else None)

    @get("/{execution:str}")
    async def show(
        self,
        execution: FromPath[str],
        caller: NamedDependency[Caller],
        grouped_jobs: NamedDependency[GroupedJobs],
        settings: NamedDependency[Settings],
    ) -> ToolExecution:
        """Return an execution as it is now."""
        return execution_of(await grouped_jobs.find(caller, to_native("vg_exec", execution)), settings)

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
