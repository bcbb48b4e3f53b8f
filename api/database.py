"""The API's way to PostgreSQL: short transactions, and an answer within a deadline even when the server hangs."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, TypeVar

from sqlalchemy import Executable, Row
from sqlalchemy.ext.asyncio import AsyncConnection

from jobs.database import async_engine, is_away
from jobs.errors import DatabaseUnavailable
from jobs.settings import Settings

T = TypeVar("T")

IN_DOUBT = "The database does not answer. Try again in a few seconds, with the same Idempotency-Key if you sent one."
"""A connection that is lost during a commit leaves open whether it happened, so nothing else can be promised."""


class Database:
    """A pool of connections; every method raises `DatabaseUnavailable` when there is no answer in time."""

    def __init__(self, settings: Settings) -> None:
        self._engine = async_engine(settings)
        self._single = self._engine.execution_options(isolation_level="AUTOCOMMIT")
        self._seconds = settings.db_timeout + 1
        self._running: set[asyncio.Task[Any]] = set()

    async def rows(self, statement: Executable) -> Sequence[Row[Any]]:
        """All rows of one statement."""

        async def work() -> Sequence[Row[Any]]:
            async with self._single.connect() as connection:
                return (await connection.execute(statement)).all()

        return await self._bounded(work())

    async def row(self, statement: Executable) -> Row[Any] | None:
        """The first row of one statement."""
        rows = await self.rows(statement)
        return rows[0] if rows else None

    async def transaction(self, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        """What `work` returns, committed; nothing is kept when it raises."""

        async def whole() -> T:
            async with self._engine.begin() as connection:
                return await work(connection)

        return await self._bounded(whole())

    async def close(self) -> None:
        """Close every connection."""
        await self._engine.dispose()

    async def _bounded(self, work: Coroutine[Any, Any, T]) -> T:
        """`work` in a task of its own: nobody waits for one that hangs, and a caller who leaves does not cut one short.

        A cancelled psycopg statement waits for the server to confirm, which a server that hangs never does.
        """
        task = asyncio.create_task(work)
        self._running.add(task)
        task.add_done_callback(self._ended)
        done, _ = await asyncio.wait({task}, timeout=self._seconds)
        if not done:
            task.cancel()
            raise DatabaseUnavailable(IN_DOUBT)
        try:
            return task.result()
        except Exception as error:
            if is_away(error):
                raise DatabaseUnavailable(IN_DOUBT) from error
            raise

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if not task.cancelled():
            task.exception()  # fetched, so that asyncio does not complain of one that nobody waited for
