"""Migrations: bring a database to a version of the schema, and read its version."""

import time
from pathlib import Path
from threading import Lock
from typing import Any

from sqlalchemy.exc import DBAPIError

from core.database import DEADLOCK_DETECTED, LOCK_NOT_AVAILABLE, state_of, sync_engine
from core.retry import Backoff, retry
from core.settings import Settings

MIGRATIONS = Path(__file__).parent / "migrations"
LOCK_SECONDS = 0.3
"""How long a statement of a migration waits for a table's lock; others queue up behind it for as long.

It is less than PostgreSQL's `deadlock_timeout`, a second. A transaction of the service may wait for a table that the
migration has locked, while the migration waits for one of that transaction's. After a second PostgreSQL would end the
transaction, and its caller would be answered 503. So the migration gives way before.
"""
PAUSES = Backoff(first=0.1, longest=1.0, jitter=1.0)
LOCK_NOT_FREE = {LOCK_NOT_AVAILABLE, DEADLOCK_DETECTED}
"""SQLSTATEs of a lock that was not free in time, and of a deadlock that the migration was ended for."""
_migrating = Lock()  # Alembic's environment is one per process


def migrate(database_url: str, *, to: str = "head", lock_seconds: float = 60.0) -> None:
    """Bring the schema to a version, the newest as a rule; safe to run twice at once, and while the service runs.

    Each version is committed by itself, and one that does not get a table's lock soon is rolled back and tried again.
    Raises `OperationalError` when that did not succeed within `lock_seconds`. A second run continues where the first
    stopped.
    """
    from alembic import command

    config = _alembic(database_url, min(lock_seconds, LOCK_SECONDS))
    with _migrating:
        retry(
            lambda: command.upgrade(config, to),
            name="migration",
            is_transient=lambda error: isinstance(error, DBAPIError) and state_of(error) in LOCK_NOT_FREE,
            backoff=PAUSES,
            seconds=lock_seconds,
            wait=_pause,
        )


def _pause(seconds: float) -> bool:
    time.sleep(seconds)
    return False


def schema_versions(settings: Settings) -> tuple[str | None, str]:
    """Return the version of the database, and the one that this code needs."""
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
