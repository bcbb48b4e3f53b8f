"""Authentication: an API key, as X-API-Key or Authorization: Bearer, identifies a tenant."""

from typing import Any

import msgspec
from litestar.connection import ASGIConnection
from litestar.datastructures import Headers
from litestar.handlers import BaseRouteHandler
from litestar.middleware import AbstractAuthenticationMiddleware, AuthenticationResult
from litestar.types import ASGIApp

from api.http.database import Database
from api.limits.request_limits import RequestLimits
from core.errors import Forbidden, Unauthenticated
from core.logs import bind
from core.signing import key_digests
from jobs.statements.api_keys import ADMIN, key_by_digest, renew_digest

PUBLIC: dict[str, Any] = {"exclude_from_auth": True}
"""`opt` of a route that requires no key."""

NO_SECURITY: tuple[dict[str, list[str]]] = ({},)
"""`security` of such a route in the OpenAPI document: an empty requirement, which every request meets."""


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


class KeyAuthentication(AbstractAuthenticationMiddleware):
    """The middleware that finds the `Caller` of every request to a route that is not `PUBLIC`."""

    def __init__(self, app: ASGIApp, *, database: Database, limits: RequestLimits, secret_key: str) -> None:
        super().__init__(app)
        self._database = database
        self._limits = limits
        self._secret_key = secret_key

    async def authenticate_request(self, connection: ASGIConnection[Any, Any, Any, Any]) -> AuthenticationResult:
        """Return the caller.

        Raises `Unauthenticated` for a key that is missing, mistyped, unknown or revoked, and before the database is
        asked `RateLimited` or `TooManyUnknownKeys`.
        """
        digest, *older = key_digests(self._secret_key, presented_key(connection.headers))
        await self._limits.admit(connection, digest)
        row = await self._database.row(key_by_digest(digest, *older))
        if row is None:
            self._limits.count_unknown(connection)
            raise Unauthenticated("This key is unknown or was revoked; `atelier keys create` makes one.")
        self._limits.remember(digest)
        if row.digest != digest:
            await self._database.row(renew_digest(row.id, digest))
        bind(tenant_id=row.tenant)
        caller = Caller(row.tenant, row.id, row.priority_ceiling, tuple(row.scopes))
        return AuthenticationResult(user=caller, auth=row.id)


def admins_only(connection: ASGIConnection[Any, Caller, Any, Any], _: BaseRouteHandler) -> None:
    """Guard a route for operators: raise `Forbidden` without the admin scope."""
    if not connection.user.admin:
        raise Forbidden


def presented_key(headers: Headers) -> str:
    """Return the key of a request; X-API-Key comes first. Raises `Unauthenticated` when there is none."""
    key = headers.get("X-API-Key", "").strip()
    if not key:
        scheme, _, rest = headers.get("Authorization", "").strip().partition(" ")
        key = rest.strip() if scheme.lower() == "bearer" else ""
    if not key:
        raise Unauthenticated
    return key
