"""Authentication: an API key, as X-API-Key or Authorization: Bearer, identifies a tenant.

Without a key in its headers, a request is one of the console's where it has the cookie of a session; the session stands
for the key that it was begun with.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

import msgspec
from litestar.connection import ASGIConnection
from litestar.types import ASGIApp, Receive, Scope, Send

from api.http.batcher import Batcher
from api.http.database import Database
from api.http.request_ids import find_header
from api.limits.request_limits import RequestLimits
from api.session.cookie import SessionCookie
from core.errors.access import Forbidden, Unauthenticated
from core.errors.unknown import UnknownJob
from core.ids import check_id, is_id
from core.logs import bind
from core.signing import key_digests, session_digests
from jobs.scopes import ADMIN, granted, sets_with
from jobs.statements.api_keys import renew_digest
from jobs.statements.query import Query
from jobs.statements.queue.look import Glance, JobView, Looked, LookedFirst, look, look_by_session

PUBLIC: dict[str, Any] = {"exclude_from_auth": True}
"""`opt` of a route that requires no key."""

SHOWS_JOB: dict[str, Any] = {"shows_job": True}
"""`opt` of a route that shows the job `job_id` of its path: its key and its job are read in one statement."""

ANY_KEY: dict[str, Any] = {"scopes": None}
"""`opt` of a route that any valid key may use."""


def needs(subject: str, verb: str | None = None) -> dict[str, Any]:
    """Return `opt` of routes about a subject of `jobs.scopes`: GET needs the scope to read it, all others to write it.

    A route whose method says otherwise names its `verb`. A route says nothing only where it is `PUBLIC` or `ANY_KEY`.
    """
    return {"scopes": (f"{subject}:{verb or 'read'}", f"{subject}:{verb or 'write'}")}


NO_SECURITY: tuple[dict[str, list[str]]] = ({},)
"""`security` of such a route in the OpenAPI document: an empty requirement, which every request meets."""


READING = ("GET", "HEAD")
"""Methods that change nothing."""
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

    def may(self, scope: str) -> bool:
        """Return whether the key has a scope, by itself or in a set."""
        return scope in granted(self.scopes)

    def require(self, scope: str) -> None:
        """Raise `Forbidden` without a scope."""
        if not self.may(scope):
            words = " or ".join(f"`{name}`" for name in (scope, *sets_with(scope)))
            raise Forbidden(f"This key lacks the scope `{scope}`; use a key with {words}.")


class KeyAuthentication:
    """The middleware that finds the `Caller` of every request to a route that is not `PUBLIC`.

    It is the request's `user`, and the job that the route shows its `auth`.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        database: Database,
        limits: RequestLimits,
        secret_key: str,
        cookie: SessionCookie,
        note_use: Callable[[str], None],
        note_seen: Callable[..., None],
    ) -> None:
        self._app = app
        self._note_use, self._note_seen = note_use, note_seen
        self._database = database
        self._keys, self._sessions = (
            Batcher[Glance, Looked | None](partial(self._look, query), most=MOST_LOOKS, at_once=LOOKS_AT_ONCE)
            for query in (look, look_by_session)
        )
        self._limits = limits
        self._secret_key = secret_key
        self._cookie = cookie

    async def _look(
        self, query: Callable[[Sequence[Glance]], Query[LookedFirst]], asked: Sequence[Glance]
    ) -> dict[Glance, Looked | None]:
        found = {looked.place: looked for looked in await self._database.fetch(query(asked))}
        return {glance: found.get(place) for place, glance in enumerate(asked, start=1)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Find the caller, and go on."""
        if not scope["route_handler"].opt.get("exclude_from_auth"):
            await self._authenticate(scope)
        await self._app(scope, receive, send)

    async def _authenticate(self, scope: Scope) -> None:
        """Note the caller in the scope.

        Raises `Unauthenticated` for a key that is missing, mistyped, unknown, revoked or expired, before the database
        is asked `RateLimited` or `TooManyUnknownKeys`, and `Forbidden` without the scope of the route.
        """
        headers = scope["headers"]
        session = None if find_key(headers) else self._cookie.read(headers)
        found = await (
            self._by_key(scope, presented_key(headers)) if session is None else self._by_session(scope, session)
        )
        key = found.key
        bind(tenant_id=key.tenant)
        self._note_use(key.id)
        caller = Caller(key.tenant, key.id, key.priority_ceiling, key.scopes)
        scope["user"] = caller  # a refusal is for this caller alone, too: it is stored nowhere
        scope["auth"] = found.view
        scopes = scope["route_handler"].opt["scopes"]
        if scopes is not None:
            caller.require(scopes[scope.get("method", "GET") not in READING])

    async def _by_key(self, scope: Scope, key: str) -> Looked:
        digests = key_digests(self._secret_key, key)
        digest, connection = digests[0], ASGIConnection[Any, Any, Any, Any](scope)
        await self._limits.admit(connection, digest)
        found = await self._keys.get(Glance(digests, _shown_job(scope)))
        if found is None:
            self._limits.count_unknown(connection)
            raise Unauthenticated("This key is unknown, was revoked or has expired; `atelier keys create` makes one.")
        self._limits.remember(digest)
        if found.key.digest != digest:
            await self._database.row(renew_digest(found.key.id, digest))
        return found

    async def _by_session(self, scope: Scope, session: str) -> Looked:
        """Return the key of a session. Raises `CrossSiteRequest` for a change that another page asks for."""
        if scope.get("method", "GET") not in READING:
            self._cookie.check_own_page(scope["headers"])
        digests = session_digests(self._secret_key, session)
        connection = ASGIConnection[Any, Any, Any, Any](scope)
        self._limits.check_address(connection, digests[0])
        found = await self._sessions.get(Glance(digests, _shown_job(scope)))
        if found is None:
            self._limits.count_unknown(connection)
            raise Unauthenticated("This session has ended, or its key was revoked or has expired; sign in again.")
        self._limits.remember(digests[0])
        await self._limits.count(connection, found.key.digest)
        self._note_seen(*digests)
        return found


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


def presented_key(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """Return the key of a request; X-API-Key comes first. Raises `Unauthenticated` when there is none."""
    key = find_key(headers)
    if not key:
        raise Unauthenticated
    return key


def find_key(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """Return the key of a request, "" when there is none."""
    key = (find_header(headers, b"x-api-key") or "").strip()
    if not key:
        scheme, _, rest = (find_header(headers, b"authorization") or "").strip().partition(" ")
        key = rest.strip() if scheme.lower() == "bearer" else ""
    return key
