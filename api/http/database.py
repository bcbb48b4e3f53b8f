"""The API's way to PostgreSQL: short transactions, and an answer within a deadline even when the server hangs."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, TypeVar

from sqlalchemy import Executable, Row
from sqlalchemy.ext.asyncio import AsyncConnection

from core.database import async_engine, is_unreachable
from core.errors import DatabaseUnavailable
from core.settings import Settings

T = TypeVar("T")

IN_DOUBT = "The database does not answer. Try again in a few seconds, with the same Idempotency-Key if you sent one."
"""A connection that is lost during a commit leaves open whether it happened, so nothing else can be promised."""

PATIENCE_SECONDS = 30.0
"""The longest wait for a database that answers others; a lock that nobody gives back looks like that."""


class Database:
    """A pool of connections; every method raises `DatabaseUnavailable` when there is no answer in time."""

    def __init__(self, settings: Settings) -> None:
        self._engine = async_engine(settings)
        self._single = self._engine.execution_options(isolation_level="AUTOCOMMIT")
        self._slots = asyncio.Semaphore(2 * settings.db_pool)  # as many as the pool gives at most
        self._seconds = settings.db_timeout + 1
        self._answered_at = time.monotonic()
        self._running: set[asyncio.Task[Any]] = set()

    async def rows(self, statement: Executable) -> Sequence[Row[Any]]:
        """All rows of one statement."""

        async def work() -> Sequence[Row[Any]]:
            async with self._single.connect() as connection:
                return (await connection.execute(statement)).all()

        return await self._bounded(work)

    async def row(self, statement: Executable) -> Row[Any] | None:
        """The first row of one statement."""
        rows = await self.rows(statement)
        return rows[0] if rows else None

    async def transaction(self, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        """What `work` returns, committed; nothing is kept when it raises."""

        async def whole() -> T:
            async with self._engine.begin() as connection:
                return await work(connection)

        return await self._bounded(whole)

    async def close(self) -> None:
        """Close every connection."""
        await self._engine.dispose()

    async def _bounded(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """`work` in a task of its own: nobody waits for one that hangs, and a caller who leaves cuts none short.

        Busy is not away: while the database answers others, this one waits its turn. A task that is given up may
        linger, since a cancelled psycopg statement waits for the server to confirm, which a hung server never does.
        """
        task = asyncio.create_task(self._in_line(work))
        self._running.add(task)
        task.add_done_callback(self._ended)
        begun_at = asked_at = time.monotonic()
        while not (await asyncio.wait({task}, timeout=self._seconds))[0]:
            if self._answered_at < asked_at or time.monotonic() > begun_at + PATIENCE_SECONDS:
                task.cancel()
                raise DatabaseUnavailable(IN_DOUBT)
            asked_at = time.monotonic()
        try:
            return task.result()
        except Exception as error:
            if is_unreachable(error):
                raise DatabaseUnavailable(IN_DOUBT) from error
            raise

    async def _in_line(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        async with self._slots:
            return await work()

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if task.cancelled():
            return
        error = task.exception()
        if not (isinstance(error, Exception) and is_unreachable(error)):
            self._answered_at = time.monotonic()
