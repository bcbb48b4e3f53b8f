"""Signing in to the console with a key, and signing out."""

from typing import Any

from litestar.connection import ASGIConnection
from sqlalchemy.ext.asyncio import AsyncConnection

from api.http.database import Database
from api.limits.request_limits import RequestLimits
from core.errors.access import Unauthenticated
from core.settings import Settings
from core.signing import key_digests, new_session, session_digests
from jobs.statements.console.sessions import add_session, end_session, remove_expired
from jobs.statements.queue.look import Glance, look, look_by_session


class ConsoleSessions:
    """The sessions of browsers; the value of a session is in its cookie alone."""

    def __init__(self, database: Database, limits: RequestLimits, settings: Settings) -> None:
        self._database = database
        self._limits = limits
        self._settings = settings

    async def begin(self, connection: ASGIConnection[Any, Any, Any, Any], key: str) -> str:
        """Begin a session of a key; return its value.

        Raises `Unauthenticated` for a key that is not valid, and `TooManyUnknownKeys` or `RateLimited`.
        """
        digests = key_digests(self._settings.secret_key, key.strip())
        await self._limits.admit(connection, digests[0])
        found = await self._database.fetch(look([Glance(digests)]))
        if not found:
            self._limits.count_unknown(connection)
            raise Unauthenticated("This key is unknown, was revoked or has expired; `atelier keys create` makes one.")
        session, key_id = new_session(), found[0].key.id
        digest = session_digests(self._settings.secret_key, session)[0]
        agent = connection.headers.get("User-Agent", "").replace("\0", "")
        idle = min(self._settings.session_idle_seconds, self._settings.session_seconds)

        async def write(database: AsyncConnection) -> None:
            await database.execute(remove_expired())
            await database.execute(add_session(digest, key_id, agent=agent, idle_seconds=idle))

        await self._database.transaction(write)
        return session

    async def is_valid(self, session: str) -> bool:
        """Return whether a session has not ended, and its key is valid."""
        digests = session_digests(self._settings.secret_key, session)
        return bool(await self._database.fetch(look_by_session([Glance(digests)])))

    async def end(self, session: str) -> None:
        """End a session; one that is unknown has ended."""
        digests = session_digests(self._settings.secret_key, session)

        async def write(database: AsyncConnection) -> None:
            await database.execute(end_session(digests))

        await self._database.transaction(write)
