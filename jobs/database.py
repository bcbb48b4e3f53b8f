"""Connections. psycopg serves both the async API and the sync workers from one URL, through PgBouncer too."""

from pathlib import Path
from threading import Lock
from typing import Any

from sqlalchemy import Engine, ExceptionContext, TextClause, create_engine, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from jobs.settings import Settings

MIGRATIONS = Path(__file__).parent / "migrations"
_migrating = Lock()  # Alembic's environment is one per process

UNREACHABLE = (OperationalError, InterfaceError, PoolTimeout, OSError)
"""What a statement raises when the database is away."""
READ_ONLY = "25006"
AWAY_STATES = {READ_ONLY, "25P03", "25P04"}
"""A server that was demoted, and sessions that it ended for being slow: another connection will do."""


def _options(settings: Settings) -> dict[str, Any]:
    url = make_url(settings.database_url).set(drivername="postgresql+psycopg")
    seconds = max(1, round(settings.db_timeout))
    return {
        "url": url,
        "pool_size": settings.db_pool,
        "max_overflow": settings.db_pool,
        "pool_timeout": settings.db_timeout,
        "pool_pre_ping": True,
        "hide_parameters": True,  # an error that is logged would hold prompts
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


def sync_engine(settings: Settings) -> Engine:
    """The connection pool of a worker or a command."""
    engine = create_engine(**_options(settings))
    event.listen(engine, "handle_error", _leave_demoted_server)
    return engine


def async_engine(settings: Settings) -> AsyncEngine:
    """The connection pool of the API."""
    engine = create_async_engine(**_options(settings))
    event.listen(engine.sync_engine, "handle_error", _leave_demoted_server)
    return engine


def is_away(error: Exception) -> bool:
    """Whether `error` means that the database can not be reached, rather than that a statement is wrong."""
    if isinstance(error, DBAPIError) and (error.connection_invalidated or _state_of(error.orig) in AWAY_STATES):
        return True
    return isinstance(error, UNREACHABLE)


def limited(seconds: float) -> TextClause:
    """Statement that bounds the others of its transaction: a keeper of leases must not hang on one of them."""
    return text(f"SET LOCAL statement_timeout = {round(1000 * seconds)}")


def _state_of(error: BaseException | None) -> str | None:
    return getattr(error, "sqlstate", None)


def _leave_demoted_server(context: ExceptionContext) -> None:
    """Have the pool let go of its connections to a server that only reads any more."""
    if _state_of(context.original_exception) == READ_ONLY:
        context.is_disconnect = True


def migrate(database_url: str, *, to: str = "head", lock_seconds: float = 5.0) -> None:
    """Bring the schema to a version, the newest as a rule; safe to run twice at once, and while the service runs.

    Each version is committed by itself. Raises `OperationalError` when a table's lock is not free within
    `lock_seconds`: everybody else would queue up behind it. Run again, it goes on where it stopped.
    """
    from alembic import command

    with _migrating:
        command.upgrade(_alembic(database_url, lock_seconds), to)


def schema_versions(settings: Settings) -> tuple[str | None, str]:
    """The version the database has, and the one this code wants."""
    from alembic.migration import MigrationContext
    from alembic.script import ScriptDirectory

    engine = sync_engine(settings)
    try:
        with engine.connect() as connection:
            current = MigrationContext.configure(connection).get_current_revision()
    finally:
        engine.dispose()
    return current, str(ScriptDirectory.from_config(_alembic(settings.database_url)).get_current_head())


def _alembic(database_url: str, lock_seconds: float = 0.0) -> Any:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes.update(database_url=database_url, lock_seconds=lock_seconds)
    return config
