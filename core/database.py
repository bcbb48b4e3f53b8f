"""Connection pools: psycopg serves the async API and the sync workers from one URL, through PgBouncer too.

The server prepares the calls of functions, and no other statement, on a connection of its own. Behind a pooler that
lends one server to many it prepares nothing.

A connection is not pinged before each use, which would double the round trips of most statements. It is pinged when it
was idle for longer than `FRESH_SECONDS`, and when its socket has something to read: the end of the connection, or a
server's last words.
"""

import re
import select
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Self

import psycopg
from sqlalchemy import (
    URL,
    Engine,
    ExceptionContext,
    Executable,
    TableValuedAlias,
    TextClause,
    UpdateBase,
    create_engine,
    event,
    text,
)
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, InterfaceError, InvalidatePoolError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry
from sqlalchemy.sql import visitors
from sqlalchemy.sql.selectable import SelectBase
from sqlalchemy.util import greenlet_spawn

from core.settings import Settings
from core.urls import shown

FRESH_SECONDS = 5.0
"""A connection that was used less than this ago is used again without a ping, unless its socket says otherwise."""

UNREACHABLE = (OperationalError, InterfaceError, PoolTimeout, OSError)
"""What a statement raises when the database does not answer."""
READ_ONLY = "25006"
LOCK_NOT_AVAILABLE = "55P03"
DEADLOCK_DETECTED = "40P01"
UNDEFINED_FUNCTION = "42883"
AWAY_STATES = {READ_ONLY, "25P03", "25P04"}
"""SQLSTATEs of a demoted server and of sessions that it ended for being slow: another connection works."""


CALL = re.compile(r"SELECT (\* FROM )?[a-z_]+_[0-9a-f]{12}\(")
"""How the call of a function begins whose name has a digest of its text (`jobs.statements.table_function`)."""
NEVER_BY_ITSELF = sys.maxsize
"""After how many executions psycopg prepares a statement on its own account: the plan of one would stay while its
tables grow from nothing, which those of the functions are made for."""

THREADS_POOL, THREADS_OVERFLOW = 3, 2
"""The most connections that a worker keeps for its threads, and how many more it opens.

A GPU worker seldom needs two at once. With eight of them on one box, all pools at their largest stay below the 100
connections of PostgreSQL.
"""


class _Cursor(psycopg.Cursor[Any]):
    """Has the server prepare calls of functions, where the connection may hold prepared statements."""

    def execute(self, query: Any, params: Any = None, *, prepare: bool | None = None, **how: Any) -> Self:
        return super().execute(query, params, prepare=prepare or _is_call(query) or None, **how)


class _AsyncCursor(psycopg.AsyncCursor[Any]):
    """See `_Cursor`."""

    async def execute(self, query: Any, params: Any = None, *, prepare: bool | None = None, **how: Any) -> Self:
        return await super().execute(query, params, prepare=prepare or _is_call(query) or None, **how)


def _is_call(query: Any) -> bool:
    return isinstance(query, str) and CALL.match(query) is not None


def _options(
    settings: Settings, pool: int, overflow: int, cursor: type[psycopg.Cursor[Any] | psycopg.AsyncCursor[Any]]
) -> dict[str, Any]:
    url = read_url(settings.database_url)
    seconds = max(1, round(settings.db_timeout))
    return {
        "url": url,
        "pool_size": pool,
        "max_overflow": overflow,
        "pool_timeout": settings.db_timeout,
        "pool_use_lifo": True,  # so that few connections are in use, and those need no ping
        "hide_parameters": True,  # a logged error would hold prompts
        "connect_args": {
            "connect_timeout": max(2, seconds),
            "prepare_threshold": None,  # until the connection is known to be the server's own: see `_note_server`
            "cursor_factory": cursor,
            "keepalives_idle": 10,
            "keepalives_interval": 5,
            "keepalives_count": 2,
            "tcp_user_timeout": 10_000,
            "application_name": "atelier",
        },
    }


def read_url(text: str) -> URL:
    """Return the URL for psycopg. Raises `ValueError` for a text that is none.

    What follows an @ in a password would be a host, which errors name.
    """
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        url = None
    if url is None or "@" in (url.host or ""):
        raise ValueError(
            f"ATELIER_DATABASE_URL={shown(text)}: use postgresql://user:password@host:port/name, with %40 for an @ and "
            "%2F for a / in the password"
        )
    return url.set(drivername="postgresql+psycopg")


def sync_engine(settings: Settings) -> Engine:
    """Return the connection pool of a command. Raises `ValueError` for a URL that cannot be read."""
    return _sync_engine(settings, settings.db_pool, settings.db_pool)


def threads_engine(settings: Settings) -> Engine:
    """Return the connection pool of a worker's threads. Raises `ValueError` for a URL that cannot be read."""
    return _sync_engine(settings, min(settings.db_pool, THREADS_POOL), THREADS_OVERFLOW)


def _sync_engine(settings: Settings, pool: int, overflow: int) -> Engine:
    return _watch(create_engine(**_options(settings, pool, overflow, _Cursor)))


def async_engine(settings: Settings, *, autocommit: bool = False) -> AsyncEngine:
    """Return the connection pool of an event loop. Raises `ValueError` for a URL that cannot be read.

    With `autocommit` each statement is its own transaction, but for those of `transactional`.
    """
    options = _options(settings, settings.db_pool, settings.db_pool, _AsyncCursor)
    if autocommit:  # nothing is left to be rolled back
        options |= {"isolation_level": "AUTOCOMMIT", "pool_reset_on_return": None}
    db = create_async_engine(**options)
    _watch(db.sync_engine)
    return db


def autocommitted(db: Engine) -> Engine:
    """Return the pool for single statements: each is its own transaction, without a BEGIN and a COMMIT around it."""
    return db.execution_options(isolation_level="AUTOCOMMIT")


def transactional(db: AsyncEngine) -> AsyncEngine:
    """Return a pool that is in autocommit for transactions of several statements."""
    return db.execution_options(isolation_level="READ COMMITTED")


@asynccontextmanager
async def lent_connection(db: AsyncEngine) -> AsyncIterator[psycopg.AsyncConnection[Any]]:
    """Lend a connection of a pool in autocommit as the driver has it; its errors become those of SQLAlchemy."""
    try:
        lent = await db.raw_connection()
    except psycopg.Error as error:
        raise _wrapped(db, error, lost=False) from error
    connection: Any = lent.driver_connection
    try:
        yield connection
    except psycopg.Error as error:
        lost = connection.closed or _state_of(error) == READ_ONLY
        if lost:
            await greenlet_spawn(lent.invalidate, error)
        raise _wrapped(db, error, lost=lost) from error
    except BaseException as error:
        await greenlet_spawn(lent.invalidate, error)  # it may be in the middle of a statement
        raise
    finally:
        lent.close()  # without a greenlet: nothing is sent, since no connection in autocommit is reset


def _wrapped(db: AsyncEngine, error: psycopg.Error, *, lost: bool) -> BaseException:
    return DBAPIError.instance(
        None, None, error, psycopg.Error, hide_parameters=True, connection_invalidated=lost, dialect=db.dialect
    )


def is_unreachable(error: Exception) -> bool:
    """Return whether `error` says that the database cannot be reached, rather than that a statement is wrong."""
    if isinstance(error, DBAPIError) and (error.connection_invalidated or state_of(error) in AWAY_STATES):
        return True
    return isinstance(error, UNREACHABLE)


def is_lost(error: Exception) -> bool:
    """Return whether `error` says that a connection broke under a statement."""
    return isinstance(error, DBAPIError) and error.connection_invalidated


def only_reads(statement: Executable) -> bool:
    """Return whether a statement is a SELECT that changes nothing, so that it may be executed again.

    Of SQL text, and of functions that return rows, nothing is known: they may write.
    """
    unknown = (UpdateBase, TextClause, TableValuedAlias)
    return isinstance(statement, SelectBase) and not any(
        isinstance(part, unknown) for part in visitors.iterate(statement)
    )


def set_statement_timeout(seconds: float) -> TextClause:
    """Return the statement that bounds the others of its transaction: a renewal of leases must not hang on one.

    It takes a transaction. PgBouncer passes no such bound on when a connection is made (it refuses or drops
    `options`), and one that is set for a session stays for the next client of the connection.
    """
    return text(f"SET LOCAL statement_timeout = {round(1000 * seconds)}")


def set_lock_timeout(seconds: float) -> TextClause:
    """Return the statement that bounds how long the others of its transaction wait for locks."""
    return text(f"SET LOCAL lock_timeout = {round(1000 * seconds)}")


def state_of(error: DBAPIError) -> str | None:
    """Return the SQLSTATE of an error, where the server has answered with one."""
    return _state_of(error.orig)


def _state_of(error: BaseException | None) -> str | None:
    return getattr(error, "sqlstate", None)


def _watch(db: Engine) -> Engine:
    def note_end_of_use(_: Any, entry: ConnectionPoolEntry) -> None:
        entry.info["used_at"] = time.monotonic()

    def ping_if_doubtful(connection: Any, entry: ConnectionPoolEntry, _: object) -> None:
        used_at = entry.info.get("used_at")
        if used_at is None or not _is_doubtful(connection, used_at):
            return
        try:
            db.dialect.do_ping(connection)
        except psycopg.Error as error:
            raise InvalidatePoolError from error  # the pool makes a new connection

    event.listen(db, "connect", _note_server)
    event.listen(db, "checkin", note_end_of_use)
    event.listen(db, "checkout", ping_if_doubtful)
    event.listen(db, "handle_error", _leave_demoted_server)
    return db


def _note_server(connection: Any, entry: ConnectionPoolEntry) -> None:
    """Allow prepared statements on a connection of which the server says the same process as its greeting did.

    A pooler makes up the number in the greeting, since the process may be another one for each transaction.
    """
    driver = entry.driver_connection
    assert driver is not None
    cursor = connection.cursor()
    cursor.execute("SELECT pg_backend_pid()")
    (server,) = cursor.fetchone()
    cursor.close()
    connection.rollback()
    if server == driver.info.backend_pid:
        driver.prepare_threshold = NEVER_BY_ITSELF


def _is_doubtful(connection: Any, used_at: float) -> bool:
    """Return whether the server may have closed a connection that nothing has used since `used_at`."""
    if time.monotonic() - used_at > FRESH_SECONDS or connection.closed:
        return True
    socket = select.poll()
    socket.register(connection.info.pgconn.socket, select.POLLIN)
    return bool(socket.poll(0))


def _leave_demoted_server(context: ExceptionContext) -> None:
    """Make the pool drop its connections to a server that has become read-only."""
    if _state_of(context.original_exception) == READ_ONLY:
        context.is_disconnect = True
