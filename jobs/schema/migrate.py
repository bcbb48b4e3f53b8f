"""Migrations: bring a database to a version of the schema, and read its version."""

from pathlib import Path
from threading import Lock
from typing import Any

from core.database import sync_engine
from core.settings import Settings

MIGRATIONS = Path(__file__).parent / "migrations"
_migrating = Lock()  # Alembic's environment is one per process


def migrate(database_url: str, *, to: str = "head", lock_seconds: float = 5.0) -> None:
    """Bring the schema to a version, the newest as a rule; safe to run twice at once, and while the service runs.

    Each version is committed by itself. Raises `OperationalError` when a table's lock is not free within
    `lock_seconds`: other transactions would queue up behind the wait. A second run continues where the first stopped.
    """
    from alembic import command

    with _migrating:
        command.upgrade(_alembic(database_url, lock_seconds), to)


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
