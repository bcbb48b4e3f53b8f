"""Authentication: an API key, as X-API-Key or Authorization: Bearer, identifies a tenant."""

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler
from litestar.types import ASGIApp, Receive, Scope, Send

from api.http.batcher import Batcher
from api.http.database import Database
from api.http.request_ids import find_header
from api.limits.request_limits import RequestLimits
from core.errors.access import Forbidden, Unauthenticated
from core.errors.unknown import UnknownJob
from core.ids import check_id, is_id
from core.logs import bind
from core.signing import key_digests
from jobs.statements.api_keys import ADMIN, renew_digest
from jobs.statements.queue.look import Glance, JobView, Looked, look

PUBLIC: dict[str, Any] = {"exclude_from_auth": True}
"""`opt` of a route that requires no key."""

SHOWS_JOB: dict[str, Any] = {"shows_job": True}
"""`opt` of a route that shows the job `job_id` of its path: its key and its job are read in one statement."""

NO_SECURITY: tuple[dict[str, list[str]]] = ({},)
"""`security` of such a route in the OpenAPI document: an empty requirement, which every request meets."""


MOST_LOOKS, LOOKS_AT_ONCE = 32, 2
"""Keys and jobs of one statement, and statements at the same time: polls that come together share the round trip."""


class Caller(msgspec.Struct, frozen=True):
    """The tenant that a request acts for, the highest priority that its key allows, and the scopes of the key."""

    tenant: str
    key_id: str
    priority_ceiling: int
    scopes: tuple[str, ...] = ()

    @property
    def admin(self) -> bool:
        """Whether the key has the admin scope."""
        return ADMIN in self.scopes


class KeyAuthentication:
    """The middleware that finds the `Caller` of every request to a route that is not `PUBLIC`.

    It is the request's `user`, and the job that the route shows its `auth`.
    """

    def __init__(self, app: ASGIApp, *, database: Database, limits: RequestLimits, secret_key: str) -> None:
        self._app = app
        self._database = database
        self._keys = Batcher[Glance, Looked | None](self._look, most=MOST_LOOKS, at_once=LOOKS_AT_ONCE)
        self._limits = limits
        self._secret_key = secret_key

    async def _look(self, asked: Sequence[Glance]) -> dict[Glance, Looked | None]:
        found = {looked.place: looked for looked in await self._database.fetch(look(asked))}
        return {glance: found.get(place) for place, glance in enumerate(asked, start=1)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Find the caller, and go on."""
        if not scope["route_handler"].opt.get("exclude_from_auth"):
            await self._authenticate(scope)
        await self._app(scope, receive, send)

    async def _authenticate(self, scope: Scope) -> None:
        """Note the caller in the scope.

        Raises `Unauthenticated` for a key that is missing, mistyped, unknown or revoked, and before the database is
        asked `RateLimited` or `TooManyUnknownKeys`.
        """
        digests = key_digests(self._secret_key, presented_key(scope["headers"]))
        digest, connection = digests[0], ASGIConnection[Any, Any, Any, Any](scope)
        await self._limits.admit(connection, digest)
        found = await self._keys.get(Glance(digests, _shown_job(scope)))
        if found is None:
            self._limits.count_unknown(connection)
            raise Unauthenticated("This key is unknown or was revoked; `atelier keys create` makes one.")
        self._limits.remember(digest)
        key = found.key
        if key.digest != digest:
            await self._database.row(renew_digest(key.id, digest))
        bind(tenant_id=key.tenant)
        scope["user"] = Caller(key.tenant, key.id, key.priority_ceiling, key.scopes)
        scope["auth"] = found.view


def shown_job(connection: ASGIConnection[Any, Caller, JobView | None, Any]) -> JobView:
    """Return the caller's job that a route with `SHOWS_JOB` shows. Raises `MalformedId` or `UnknownJob`."""
    check_id("job", connection.path_params["job_id"])
    if connection.auth is None:
        raise UnknownJob
    return connection.auth


def _shown_job(scope: Scope) -> str | None:
    """Return the well-formed id of the job that a route shows, if it is such a route."""
    job_id: str | None = scope["path_params"].get("job_id") if scope["route_handler"].opt.get("shows_job") else None
    return job_id if job_id is not None and is_id("job", job_id) else None


def admins_only(connection: ASGIConnection[Any, Caller, Any, Any], _: BaseRouteHandler) -> None:
    """Guard a route for operators: raise `Forbidden` without the admin scope."""
    if not connection.user.admin:
        raise Forbidden


def presented_key(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """Return the key of a request; X-API-Key comes first. Raises `Unauthenticated` when there is none."""
    key = (find_header(headers, b"x-api-key") or "").strip()
    if not key:
        scheme, _, rest = (find_header(headers, b"authorization") or "").strip().partition(" ")
        key = rest.strip() if scheme.lower() == "bearer" else ""
    if not key:
        raise Unauthenticated
    return key
