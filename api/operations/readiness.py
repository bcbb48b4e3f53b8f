"""Whether this process can take jobs: it needs the database and its schema; Redis only makes it faster."""

import asyncio
from typing import Literal

import redis.asyncio
from redis.exceptions import RedisError
from sqlalchemy import text

from api.http.database import Database
from core.database import is_unreachable
from core.errors import DatabaseUnavailable, SchemaBehind
from core.settings import Settings
from jobs.events import redis_url
from jobs.schema.migrate import schema_versions
from jobs.wire.health import ReadinessAnswer


class Readiness:
    """Asks both, each within its time-out."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database = database
        self._settings = settings
        self._schema_fits = False

    async def check(self) -> ReadinessAnswer:
        """Raises `DatabaseUnavailable` or `SchemaBehind` when no job could be taken."""
        await self._database.row(text("SELECT 1"))
        await self._check_schema()
        broker = await self.broker()
        return ReadinessAnswer("ok" if broker == "ok" else "degraded", "ok", broker)

    async def _check_schema(self) -> None:
        """Once it fits it stays so: a newer version of the code may migrate it further, never back."""
        if self._schema_fits:
            return
        try:
            current, wanted = await asyncio.to_thread(schema_versions, self._settings)
        except Exception as error:
            if is_unreachable(error):
                raise DatabaseUnavailable from error
            raise
        if current is None or current < wanted:
            raise SchemaBehind(
                f"The schema is at {current or 'nothing'} and must be at {wanted}; run `atelier migrate`."
            )
        self._schema_fits = True

    async def broker(self) -> Literal["ok", "unreachable"]:
        """Whether the broker answers."""
        seconds = self._settings.broker_timeout
        client = redis.asyncio.Redis.from_url(
            redis_url(self._settings), socket_timeout=seconds, socket_connect_timeout=seconds
        )
        try:
            async with asyncio.timeout(2 * seconds):
                await client.ping()
        except (RedisError, OSError, TimeoutError):
            return "unreachable"
        finally:
            await client.aclose()
        return "ok"
