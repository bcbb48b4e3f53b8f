"""Alembic's entry: one connection, one advisory lock, so that two starters do not migrate at once."""

from alembic import context
from sqlalchemy import text

from jobs.database import sync_engine
from jobs.settings import Settings
from jobs.tables import metadata

LOCK = 0x41744C


def run() -> None:
    """Run the migrations in one transaction."""
    engine = sync_engine(Settings(database_url=context.config.attributes["database_url"]))
    try:
        with engine.connect() as connection:
            context.configure(connection=connection, target_metadata=metadata, transaction_per_migration=False)
            with context.begin_transaction():
                connection.execute(text(f"SELECT pg_advisory_xact_lock({LOCK})"))
                context.run_migrations()
            connection.commit()
    finally:
        engine.dispose()


run()
