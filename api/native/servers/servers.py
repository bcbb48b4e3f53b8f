"""/servers/v1: who makes it, and taking one off the list that is gone."""

from typing import Annotated, Any

import msgspec
from litestar import Controller, delete, get
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter
from sqlalchemy import Row

from api.http.auth import Caller, admins_only
from api.http.database import Database
from api.openapi.documents import error_responses
from core.errors import Forbidden, InvalidRequest, ServerAlive, ServerHasJobs, UnknownServer
from jobs.statements.servers import fleet, pinned_jobs, remove, server
from jobs.wire.servers import ResidentModel, ServerAnswer, ServerList

Force = Annotated[bool, QueryParameter(description="Even though jobs wait for it alone; they go on waiting.")]


class ServerRoutes(Controller):
    """Who makes it."""

    path = "/servers/v1"
    tags = ("Service",)

    @get(responses=error_responses(), summary="GPU servers")
    async def index(self, caller: NamedDependency[Caller], database: NamedDependency[Database]) -> ServerList:
        """Servers by name; any of them can be asked for with `server_id`."""
        return ServerList([server_answer(row, caller) for row in await database.rows(fleet())])

    @get("/{server_id:str}", responses=error_responses(UnknownServer), summary="A GPU server")
    async def show(
        self, server_id: FromPath[str], caller: NamedDependency[Caller], database: NamedDependency[Database]
    ) -> ServerAnswer:
        """One server, alive or not."""
        return server_answer(await find_server(database, server_id), caller)

    @delete(
        "/{server_id:str}",
        status_code=204,
        guards=[admins_only],
        responses=error_responses(Forbidden, UnknownServer, ServerAlive, ServerHasJobs, InvalidRequest),
        summary="Remove a server",
    )
    async def forget(self, server_id: FromPath[str], database: NamedDependency[Database], force: Force = False) -> None:
        """For admins: take one that is gone for good off the list. A worker that starts under its name is back."""
        if await database.row(remove(known_name(server_id), force=force)) is not None:
            return
        if (await find_server(database, server_id)).alive:
            raise ServerAlive
        counted = await database.row(pinned_jobs(server_id))
        count = 0 if counted is None else counted[0]
        raise ServerHasJobs(f"{count} waiting job(s) ask for this server alone. {ServerHasJobs.advice}")


async def find_server(database: Database, server_id: str) -> Row[Any]:
    """The row of a server; raises `UnknownServer`."""
    row = await database.row(server(known_name(server_id)))
    if row is None:
        raise UnknownServer
    return row


def known_name(server_id: str) -> str:
    """`server_id` if a server can have that name; raises `UnknownServer`."""
    if "\0" in server_id:  # which PostgreSQL can not even be asked for
        raise UnknownServer
    return server_id


def server_answer(row: Row[Any], caller: Caller) -> ServerAnswer:
    """A row as this caller sees it: whether it is busy, and with whose job only for admins."""
    current = row.current_job if row.alive else None
    return ServerAnswer(
        server_id=row.server_id,
        alive=row.alive,
        state=row.state if row.alive else "offline",
        desired=row.desired,
        busy=current is not None,
        current_job=current if caller.admin else None,
        dedicated=row.dedicated,
        device=row.device,
        memory_total=row.memory_total,
        memory_used=row.memory_used if row.alive else 0,
        serves=list(row.serves),
        resident=list(row.resident) if row.alive else [],
        models=msgspec.convert(row.models, list[ResidentModel]) if row.alive else [],
        versions=row.versions,
        started_at=row.started_at,
        heartbeat_age_seconds=round(row.heartbeat_age.total_seconds(), 3),
    )
