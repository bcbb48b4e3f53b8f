"""Alembic's entry: each migration in a transaction of its own, and a lock so that two starters do not migrate at once.

The lock is held by the open transaction of a second connection: building an index concurrently ends the transaction of
the first, and PgBouncer keeps no lock of a session. A second starter asks again and again, each time in a new
transaction, because a statement that waits keeps a snapshot, and an index that is built concurrently waits for those.

A transaction of a migration best locks one table: one that waits for a second table while it has the first makes
transactions of the service wait that have the second and need the first.

At the newest version the functions of the queue are added, which have no version of their own.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from alembic import context
from sqlalchemy import Connection, Engine, event, text

from core.database import set_lock_timeout, sync_engine
from core.settings import Settings
from jobs.schema.tables import metadata
from jobs.statements.queue.functions import add_functions

LOCK = 0x41744C
AGAIN_SECONDS = 0.1


def run() -> None:
    """Run the migrations; one that does not get the lock of a table soon fails, and `migrate` tries it again."""
    engine = sync_engine(Settings(database_url=context.config.attributes["database_url"]))
    bound = set_lock_timeout(context.config.attributes["lock_seconds"]).text
    try:
        with _alone(engine), engine.connect() as connection:
            event.listen(connection, "begin", lambda begun: _in_transaction(begun) and begun.exec_driver_sql(bound))
            context.configure(connection=connection, target_metadata=metadata, transaction_per_migration=True)
            with context.begin_transaction():
                context.run_migrations()
            if set(context.get_context().get_current_heads()) == set(context.script.get_heads()):
                _add_functions(connection)
    finally:
        engine.dispose()


def _in_transaction(connection: Connection) -> bool:
    """Return whether a transaction has begun: an index is built concurrently outside of any."""
    return not connection.connection.driver_connection.autocommit  # type: ignore[union-attr]


def _add_functions(connection: Connection) -> None:
    for statement in add_functions():
        connection.execute(statement)
    connection.commit()


@contextmanager
def _alone(engine: Engine) -> Iterator[None]:
    """Hold the lock, after waiting for it."""
    with engine.connect() as connection:
        while not connection.scalar(text(f"SELECT pg_try_advisory_xact_lock({LOCK})")):
            connection.rollback()
            time.sleep(AGAIN_SECONDS)
        connection.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
        yield


run()
