"""/servers/v1: the GPU servers and the remote backends, and the removal of one that is gone."""

import asyncio
from typing import Annotated, Any

import msgspec
from litestar import Controller, delete, get
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter, SkipValidation
from sqlalchemy import Row

from api.http.auth import Caller, needs
from api.http.database import Database
from api.openapi.documents import error_responses
from core.errors.conflicts import ServerAlive, ServerHasJobs
from core.errors.fields import InvalidRequest
from core.errors.unavailable import StorageUnavailable
from core.errors.unknown import UnknownServer
from core.storage.store import Store
from jobs.statements import servers
from jobs.statements.maintenance.growth import sizes
from jobs.wire.servers import BackendState, ResidentModel, ServerAnswer, ServerList, StoredBytes

Force = Annotated[bool, QueryParameter(description="Remove it although jobs are pinned to it; they keep waiting.")]
FREE_SECONDS = 1.0
"""How long the store's disk may take to say its free space: one on a network may never answer."""


class ServerRoutes(Controller):
    """Routes that list, show and remove servers."""

    path = "/servers/v1"
    tags = ("Service",)
    opt = needs("servers")

    @get(responses=error_responses(), summary="GPU servers")
    async def index(
        self,
        caller: NamedDependency[Caller],
        database: NamedDependency[Database],
        store: NamedDependency[SkipValidation[Store]],
    ) -> ServerList:
        """Return the servers by name; a job can name any of them as `server_id`. Admins see what is stored, too."""
        answers = [server_answer(row, caller) for row in await database.rows(servers.fleet())]
        return ServerList(answers, await stored_bytes(database, store) if caller.admin else None)

    @get("/{server_id:str}", responses=error_responses(UnknownServer), summary="A GPU server")
    async def show(
        self, server_id: FromPath[str], caller: NamedDependency[Caller], database: NamedDependency[Database]
    ) -> ServerAnswer:
        """Return one server, alive or not."""
        return server_answer(await find_server(database, server_id), caller)

    @delete(
        "/{server_id:str}",
        status_code=204,
        responses=error_responses(UnknownServer, ServerAlive, ServerHasJobs, InvalidRequest),
        summary="Remove a server",
    )
    async def remove(self, server_id: FromPath[str], database: NamedDependency[Database], force: Force = False) -> None:
        """Remove a server that is gone for good, as an admin. A worker that starts under its name adds it again."""
        if await database.row(servers.remove(check_name(server_id), force=force)) is not None:
            return
        if (await find_server(database, server_id)).alive:
            raise ServerAlive
        pinned = await database.row(servers.pinned_jobs(server_id))
        count = 0 if pinned is None else pinned[0]
        raise ServerHasJobs(f"{count} waiting job(s) are pinned to this server. {ServerHasJobs.advice}")


async def stored_bytes(database: Database, store: Store) -> StoredBytes | None:
    """Return what the service stores; the free space is null while the store's disk does not answer."""
    row = await database.row(sizes())
    if row is None:
        return None
    try:
        async with asyncio.timeout(FREE_SECONDS):
            free = await asyncio.to_thread(store.free_bytes)
    except (StorageUnavailable, TimeoutError):
        free = None
    return StoredBytes(
        database=row.database_bytes,
        store=row.store_bytes,
        objects=row.store_objects,
        store_free=free,
        measured_at=row.measured_at,
    )


async def find_server(database: Database, server_id: str) -> Row[Any]:
    """Return the row of a server. Raises `UnknownServer`."""
    row = await database.row(servers.server(check_name(server_id)))
    if row is None:
        raise UnknownServer
    return row


def check_name(server_id: str) -> str:
    """Return `server_id` if a server can have that name. Raises `UnknownServer`."""
    if "\0" in server_id:  # PostgreSQL accepts no such text
        raise UnknownServer
    return server_id


def server_answer(row: Row[Any], caller: Caller) -> ServerAnswer:
    """Return the answer for a row; only admins see which job a server runs."""
    current = row.current_job if row.alive else None
    return ServerAnswer(
        server_id=row.server_id,
        alive=row.alive,
        state=row.state if row.alive else "offline",
        problem=row.problem if row.alive and row.state == "store_away" else None,
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
        backend=msgspec.convert(row.backend, BackendState | None),
    )
