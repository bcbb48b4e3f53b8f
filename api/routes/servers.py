"""GET /servers/v1."""

from datetime import datetime
from typing import Any

import msgspec
from litestar import Controller, get
from litestar.di import NamedDependency
from sqlalchemy import Row

from api.database import Database
from api.documents import refusals
from jobs.statements.fleet import fleet


class ServerAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A GPU server. Memory is bytes, `heartbeat_age_seconds` how long ago it was last heard of.

    `state` is the server's own word while it is `alive`, else `offline`; `desired` is what an operator asked of it:
    active, cordoned or draining.
    """

    server_id: str
    alive: bool
    state: str
    desired: str
    busy: bool
    dedicated: bool
    device: str
    memory_total: int
    memory_used: int
    serves: list[str]
    resident: list[str]
    versions: dict[str, str]
    started_at: datetime
    heartbeat_age_seconds: float


class ServerList(msgspec.Struct, frozen=True):
    """Every server that was ever registered, by name."""

    servers: list[ServerAnswer]


class ServerRoutes(Controller):
    """Who makes it."""

    path = "/servers/v1"
    tags = ("Service",)

    @get(responses=refusals(), summary="GPU servers")
    async def index(self, database: NamedDependency[Database]) -> ServerList:
        """Servers by name; any of them can be asked for with `server_id`."""
        return ServerList([_answer(row) for row in await database.rows(fleet())])


def _answer(row: Row[Any]) -> ServerAnswer:
    """A row as callers see it: whether it is busy, and not with whose job."""
    return ServerAnswer(
        server_id=row.server_id,
        alive=row.alive,
        state=row.state if row.alive else "offline",
        desired=row.desired,
        busy=row.alive and row.current_job is not None,
        dedicated=row.dedicated,
        device=row.device,
        memory_total=row.memory_total,
        memory_used=row.memory_used,
        serves=list(row.serves),
        resident=list(row.resident) if row.alive else [],
        versions=row.versions,
        started_at=row.started_at,
        heartbeat_age_seconds=round(row.heartbeat_age.total_seconds(), 3),
    )
