"""The byte budgets of request bodies: what this process reads and holds of them at the same time.

A body takes its Content-Length, or its route's limit where there is none, before its first byte is read, and gives it
back when the request has ended or no longer needs it. A file that goes to the disk as it arrives takes it from a budget
of its own, which bounds the disk: it may come slowly, and next to nothing of it is in memory.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable
from typing import Any, cast

import msgspec
from litestar.handlers import HTTPRouteHandler
from litestar.types import ASGIApp, HTTPScope, Receive, ReceiveMessage, Scope, Send

from api.http.request_ids import find_header
from api.http.spooled_body import SpooledBody
from core.errors.limits import TooManyBodies
from core.errors.unavailable import Overloaded
from core.settings import Settings

SMALL = 64_000
"""Bodies up to this size take nothing: the server holds as much of each connection in any case."""
LEASE = "body_lease"
"""Where the state of a request has its `BodyLease`."""
TENANTS = 4
"""One tenant has at most this part of the budget."""


class _Waiting(msgspec.Struct, eq=False):
    tenant: str
    size: int
    granted: asyncio.Future[None]


class BodyBudget:
    """Bytes that are held, in all and by tenant; those who wait are served in their order.

    A tenant that has its share lets others pass. A body larger than a share is admitted alone.
    """

    def __init__(self, most: int, settings: Settings) -> None:
        self.folder = settings.scratch_dir or None
        self._most = most
        self._seconds = settings.body_wait_seconds
        self._held: Counter[str] = Counter()
        self._line: list[_Waiting] = []

    @property
    def in_use(self) -> int:
        """Bytes that are held now."""
        return self._held.total()

    async def take(self, tenant: str, size: int) -> None:
        """Hold `size` bytes for a tenant.

        Raises `TooManyBodies` where the tenant's own share is not free in time, and `Overloaded` where all of the
        budget is not.
        """
        waiting = _Waiting(tenant, size, asyncio.get_running_loop().create_future())
        self._line.append(waiting)
        self._serve()
        try:
            async with asyncio.timeout(self._seconds):
                await waiting.granted
        except BaseException as error:
            if waiting in self._line:
                self._line.remove(waiting)
                self._serve()
            else:
                self.give_back(tenant, size)  # granted in the same turn of the loop
            if not isinstance(error, TimeoutError):
                raise
            raise Overloaded if self._in_share(tenant, size) else TooManyBodies from None

    def give_back(self, tenant: str, size: int) -> None:
        """Hold `size` bytes less, and serve those who wait."""
        self._held[tenant] -= size
        if not self._held[tenant]:
            del self._held[tenant]
        self._serve()

    def _serve(self) -> None:
        """Grant what fits, in the order of the line; the first that only waits for the process ends it."""
        for waiting in list(self._line):
            if waiting.granted.done() or not self._in_share(waiting.tenant, waiting.size):
                continue  # given up, and about to leave the line; or a tenant at its share
            if self._held and self.in_use + waiting.size > self._most:
                return
            self._line.remove(waiting)
            self._held[waiting.tenant] += waiting.size
            waiting.granted.set_result(None)

    def _in_share(self, tenant: str, size: int) -> bool:
        return not self._held[tenant] or self._held[tenant] + size <= self._most // TENANTS


class BodyLease:
    """The body of one request, and what it holds of the budget."""

    def __init__(self, budget: BodyBudget, files: BodyBudget, tenant: str, size: int) -> None:
        self._budget = budget
        self._files = files
        self._tenant = tenant
        self._size = size
        self._asked = self._held = False
        self.body = SpooledBody(budget.folder)

    def use_files(self) -> None:
        """Take it from the budget of files, where none of it was taken yet."""
        if not self._asked:
            self._budget = self._files

    async def take(self) -> None:
        """Take it, the first time. Raises what `BodyBudget.take` raises."""
        if not self._asked:
            self._asked = True
            await self._budget.take(self._tenant, self._size)
            self._held = True

    def give_back(self) -> None:
        """Give it back, if it is held, and remove the body, of which nothing is in use from here on."""
        if self._held:
            self._held = False
            self._budget.give_back(self._tenant, self._size)
        self.body.close()


def hold_bodies(budget: BodyBudget, files: BodyBudget) -> Any:
    """Return the middleware that takes the budget of a body when its route begins to read it; after authentication."""

    def middleware(app: ASGIApp) -> ASGIApp:
        def within_budget(scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
            size = _size(cast(HTTPScope, scope))
            return app(scope, receive, send) if size <= SMALL else holding(size, scope, receive, send)

        async def holding(size: int, scope: Scope, receive: Receive, send: Send) -> None:
            caller = scope.get("user")
            lease = BodyLease(budget, files, caller.tenant if caller else "", size)
            scope["state"][LEASE] = lease

            async def receive_in_turn() -> ReceiveMessage:
                await lease.take()
                return await receive()

            try:
                await app(scope, receive_in_turn, send)
            finally:
                lease.give_back()

        return cast(ASGIApp, within_budget)

    return middleware


def write_to_file(scope: Scope) -> None:
    """Have a body that nothing has read yet take the budget of files: it goes to the disk as it arrives."""
    lease: BodyLease | None = scope["state"].get(LEASE)
    if lease is not None:
        lease.use_files()


def _size(scope: HTTPScope) -> int:
    """Return the bytes of a body that a route reads whole; a route without a limit reads it as a stream."""
    length = find_header(scope["headers"], b"content-length")
    if length is None and find_header(scope["headers"], b"transfer-encoding") is None:
        return 0
    limit = cast(HTTPRouteHandler, scope["route_handler"]).resolve_request_max_body_size()
    return 0 if limit is None else min(int(length or limit), limit)
