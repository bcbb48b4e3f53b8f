"""Store scoping: paths with a store's id are those of the store that the key belongs to."""

from collections.abc import Awaitable, Callable
from typing import Any

from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler

from api.http.auth import Caller
from api.http.database import Database
from core.errors.access import StoreMismatch
from jobs.statements.api_keys import tenant_name

Guard = Callable[[ASGIConnection[Any, Caller, Any, Any], BaseRouteHandler], Awaitable[None]]


def own_store(database: Database) -> Guard:
    """Return the guard that raises `StoreMismatch` unless the path names the caller's tenant, by id or name."""

    async def check(connection: ASGIConnection[Any, Caller, Any, Any], _: BaseRouteHandler) -> None:
        store, tenant = connection.path_params["store_id"], connection.user.tenant
        if store == tenant:
            return
        row = await database.row(tenant_name(tenant))
        if row is None or store != row.name:
            raise StoreMismatch

    return check
