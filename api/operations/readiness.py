"""Readiness: this process accepts jobs with the database and its schema; Redis only makes it faster."""

import asyncio
from typing import Literal

from redis.exceptions import RedisError
from sqlalchemy import text

from api.http.database import Database
from core.broker.clients import async_broker_client
from core.database import is_unreachable
from core.errors.unavailable import DatabaseUnavailable, SchemaBehind
from core.settings import Settings
from jobs.schema.migrate import schema_versions
from jobs.statements.queue.functions import missing_functions
from jobs.wire.health import ReadinessAnswer


class Readiness:
    """Checks the database, the schema and the broker, each within its timeout."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database = database
        self._settings = settings
        self._schema_is_current = False

    async def check(self) -> ReadinessAnswer:
        """Return the readiness. Raises `DatabaseUnavailable` or `SchemaBehind` when no job can be accepted."""
        await self._database.row(text("SELECT 1"))
        await self._check_schema()
        broker = await self.broker()
        return ReadinessAnswer("ok" if broker == "ok" else "degraded", "ok", broker)

    async def _check_schema(self) -> None:
        """Check the schema until it is new enough once; newer code may migrate it further, never back."""
        if self._schema_is_current:
            return
        try:
            current, required = await asyncio.to_thread(schema_versions, self._settings)
        except Exception as error:
            if is_unreachable(error):
                raise DatabaseUnavailable from error
            raise
        if current is None or current < required:
            raise SchemaBehind(
                f"The schema is at {current or 'nothing'} and must be at {required}; run `atelier migrate`."
            )
        if await self._database.rows(missing_functions()):
            raise SchemaBehind("The schema lacks functions of this version; run `atelier migrate`.")
        self._schema_is_current = True

    async def broker(self) -> Literal["ok", "unreachable"]:
        """Return whether the broker answers."""
        seconds = self._settings.broker_timeout
        client = async_broker_client(self._settings)
        try:
            async with asyncio.timeout(2 * seconds):
                await client.ping()
        except (RedisError, OSError, TimeoutError):
            return "unreachable"
        finally:
            await client.aclose()
        return "ok"
