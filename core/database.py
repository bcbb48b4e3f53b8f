"""Connection pools: psycopg serves the async API and the sync workers from one URL, through PgBouncer too."""

from typing import Any

from sqlalchemy import URL, Engine, ExceptionContext, TextClause, create_engine, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from core.settings import Settings
from core.urls import shown

UNREACHABLE = (OperationalError, InterfaceError, PoolTimeout, OSError)
"""What a statement raises when the database does not answer."""
READ_ONLY = "25006"
AWAY_STATES = {READ_ONLY, "25P03", "25P04"}
"""SQLSTATEs of a demoted server and of sessions that it ended for being slow: another connection works."""


def _options(settings: Settings) -> dict[str, Any]:
    url = _read_url(settings.database_url)
    seconds = max(1, round(settings.db_timeout))
    return {
        "url": url,
        "pool_size": settings.db_pool,
        "max_overflow": settings.db_pool,
        "pool_timeout": settings.db_timeout,
        "pool_pre_ping": True,
        "hide_parameters": True,  # a logged error would hold prompts
        "connect_args": {
            "connect_timeout": max(2, seconds),
            "prepare_threshold": None,  # PgBouncer in transaction mode keeps no prepared statements
            "keepalives_idle": 10,
            "keepalives_interval": 5,
            "keepalives_count": 2,
            "tcp_user_timeout": 10_000,
            "application_name": "atelier",
        },
    }


def _read_url(text: str) -> URL:
    """Return the URL for psycopg; what follows an @ in a password would be a host, which errors name."""
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
    """Return the connection pool of a worker or a command. Raises `ValueError` for a URL that cannot be read."""
    db = create_engine(**_options(settings))
    event.listen(db, "handle_error", _leave_demoted_server)
    return db


def async_engine(settings: Settings) -> AsyncEngine:
    """Return the connection pool of the API. Raises `ValueError` for a URL that cannot be read."""
    db = create_async_engine(**_options(settings))
    event.listen(db.sync_engine, "handle_error", _leave_demoted_server)
    return db


def is_unreachable(error: Exception) -> bool:
    """Return whether `error` says that the database cannot be reached, rather than that a statement is wrong."""
    if isinstance(error, DBAPIError) and (error.connection_invalidated or _state_of(error.orig) in AWAY_STATES):
        return True
    return isinstance(error, UNREACHABLE)


def set_statement_timeout(seconds: float) -> TextClause:
    """Return the statement that bounds the others of its transaction: a renewal of leases must not hang on one."""
    return text(f"SET LOCAL statement_timeout = {round(1000 * seconds)}")


def _state_of(error: BaseException | None) -> str | None:
    return getattr(error, "sqlstate", None)


def _leave_demoted_server(context: ExceptionContext) -> None:
    """Make the pool drop its connections to a server that has become read-only."""
    if _state_of(context.original_exception) == READ_ONLY:
        context.is_disconnect = True
