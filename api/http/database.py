"""The API's access to PostgreSQL: short transactions, and a result within a deadline even when the server hangs."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, TypeVar

from psycopg.errors import ConnectionTimeout
from psycopg.rows import scalar_row
from sqlalchemy import Executable, Row
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from core.database import async_engine, is_lost, is_unreachable, lent_connection, only_reads, transactional
from core.errors.unavailable import DatabaseUnavailable
from core.settings import Settings
from jobs.statements.query import Query

T = TypeVar("T")

IN_DOUBT = "The database does not answer. Try again in a few seconds, with the same Idempotency-Key if you sent one."
"""The text for a lost connection: when it is lost during a commit, the outcome of the commit is unknown."""

BUSY_SECONDS = 30.0
"""The longest wait while the database answers other statements, for example for a lock that is never released."""

TURNS = 20
"""Equal parts of the timeout; while the event loop is held, only the part in which that happens goes by."""


class Database:
    """A pool of connections. Every method raises `DatabaseUnavailable` when the server does not answer in time.

    What a lost connection leaves without effect is done once more on another one: a statement that only reads, and a
    transaction whose commit was not sent. Behind PgBouncer a connection may break at its first statement after every
    restart of the server.
    """

    def __init__(self, settings: Settings) -> None:
        self._db = async_engine(settings, autocommit=True)
        self._transactions = transactional(self._db)
        self._slots = asyncio.Semaphore(2 * settings.db_pool)  # the most that the pool has
        self._seconds = settings.db_timeout + 1
        self._answered_at = time.monotonic()
        self._running: set[asyncio.Task[Any]] = set()

    async def rows(self, statement: Executable, *, seconds: float | None = None) -> Sequence[Row[Any]]:
        """Return all rows of one statement, of which it is known that it may take so many `seconds`."""

        async def work() -> Sequence[Row[Any]]:
            async with self._db.connect() as connection:
                return (await connection.execute(statement)).all()

        return await self._bounded(work, lambda: only_reads(statement), seconds)

    async def row(self, statement: Executable) -> Row[Any] | None:
        """Return the first row of one statement, or None."""
        rows = await self.rows(statement)
        return rows[0] if rows else None

    async def fetch(self, query: Query[T]) -> list[T]:
        """Return all rows of a query that the driver executes itself."""

        async def work() -> list[T]:
            async with lent_connection(self._db) as connection, connection.cursor(row_factory=scalar_row) as cursor:
                await cursor.execute(query.text, query.values)
                return [query.decode(row) for row in await cursor.fetchall()]

        return await self._bounded(work, lambda: query.reads)

    async def transaction(self, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        """Return the result of `work` and commit; roll back when it raises. `work` may be called twice."""
        commits = False

        async def whole() -> T:
            nonlocal commits
            async with self._transactions.begin() as connection:
                result = await work(connection)
                commits = True
            return result

        return await self._bounded(whole, lambda: not commits)

    async def close(self) -> None:
        """Close every connection."""
        await self._db.dispose()

    async def _bounded(
        self,
        work: Callable[[], Coroutine[Any, Any, T]],
        had_no_effect: Callable[[], bool],
        seconds: float | None = None,
    ) -> T:
        """Run `work` in a task of its own, so that a hung server holds no request, and a lost client cancels no work.

        A busy database is not away: while it answers other statements, this one waits its turn. A task that is given
        up may remain, since a cancelled psycopg statement waits for a confirmation that a hung server never sends.
        """
        task = asyncio.create_task(self._in_slot(work, had_no_effect))
        self._running.add(task)
        task.add_done_callback(self._record_end)
        begun_at = asked_at = time.monotonic()
        while not await self._ends_in_time(task, seconds or self._seconds):
            if self._answered_at < asked_at or time.monotonic() > begun_at + BUSY_SECONDS:
                task.cancel()
                raise DatabaseUnavailable(IN_DOUBT)
            asked_at = time.monotonic()
        try:
            return task.result()
        except Exception as error:
            if is_unreachable(error):
                raise DatabaseUnavailable(IN_DOUBT) from error
            raise

    async def _ends_in_time(self, task: asyncio.Task[Any], seconds: float) -> bool:
        """Return whether `task` ends within so many seconds, by turns of the event loop.

        One wait for the whole time would blame the database for a loop that something else had held: such a wait is
        over before the answer, which has long been there, is read.
        """
        for _ in range(TURNS):
            if (await asyncio.wait({task}, timeout=seconds / TURNS))[0]:
                return True
        return False

    async def _in_slot(self, work: Callable[[], Coroutine[Any, Any, T]], had_no_effect: Callable[[], bool]) -> T:
        """Do `work` in a connection; where none was made in time, nothing was sent, and the caller's bound decides.

        It is done once more when the connection was lost and `had_no_effect()`.
        """
        async with self._slots:
            is_repeat = False
            while True:
                try:
                    return await work()
                except DBAPIError as error:
                    if isinstance(error.orig, ConnectionTimeout):
                        continue
                    if is_repeat or not (is_lost(error) and had_no_effect()):
                        raise
                    is_repeat = True

    def _record_end(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if task.cancelled():
            return
        error = task.exception()
        if not (isinstance(error, Exception) and is_unreachable(error)):
            self._answered_at = time.monotonic()
