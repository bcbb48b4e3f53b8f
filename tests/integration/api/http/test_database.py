"""The API's access to PostgreSQL: whose time a late answer is."""

import asyncio
import time

import psycopg
import pytest
from sqlalchemy import event, func, select, text

from api.http.database import Database
from core.errors.unavailable import DatabaseUnavailable
from core.settings import Settings
from jobs.schema.tables import tenants


@pytest.fixture
def run(database_url):
    """Give a coroutine function a database of one second's patience, and return what it returns."""

    def run_with_database(work):
        async def whole():
            database = Database(Settings(database_url=database_url, db_timeout=0.0))
            try:
                return await work(database)
            finally:
                await database.close()

        return asyncio.run(whole())

    return run_with_database


def hold_the_loop(seconds):
    """Keep the event loop from everything else as soon as it turns, as a large body does while it is read."""
    asyncio.get_running_loop().call_soon(time.sleep, seconds)


def test_a_late_event_loop_is_not_the_databases_fault(run):
    async def work(database):
        await database.rows(text("SELECT 1"))
        hold_the_loop(1.5)
        return await database.rows(text("SELECT 2"))

    assert [(2,)] == run(work)


def test_nor_while_a_connection_is_made(run):
    async def work(database):
        hold_the_loop(2.5)
        return await database.rows(text("SELECT 1"))

    assert [(1,)] == run(work)


def test_a_database_that_does_not_answer_is_away(run):
    async def work(database):
        began = time.monotonic()
        with pytest.raises(DatabaseUnavailable):
            await database.rows(text("SELECT pg_sleep(60)"))
        return time.monotonic() - began

    assert 1.0 <= run(work) < 20.0


ADD = tenants.insert().values(id="ten_1", name="studio")
COUNT = select(func.count()).select_from(tenants)


def lose(database, url, moment):
    """End the connection at a moment of SQLAlchemy's, once, before anything is sent."""
    lost = []

    def end(connection, *_):
        if lost:
            return
        lost.append(True)
        pid = connection.connection.driver_connection.info.backend_pid
        with psycopg.connect(url) as other:
            other.execute("SELECT pg_terminate_backend(%s, 10000)", [pid])

    event.listen(database._db.sync_engine, moment, end)
    return lost


def test_a_read_whose_connection_was_lost_is_repeated(run, database_url):
    async def work(database):
        lost = lose(database, database_url, "before_cursor_execute")
        return await database.rows(COUNT), lost

    assert ([(0,)], [True]) == run(work)


def test_a_change_whose_connection_was_lost_is_not_repeated(run, database_url):
    async def work(database):
        lose(database, database_url, "before_cursor_execute")
        with pytest.raises(DatabaseUnavailable):
            await database.rows(ADD)
        return await database.row(COUNT)

    assert (0,) == run(work)


def test_a_transaction_lost_before_its_commit_is_repeated(run, database_url):
    async def work(database):
        lost = lose(database, database_url, "before_cursor_execute")

        async def add(connection):
            await connection.execute(ADD)
            return (await connection.execute(COUNT)).scalar_one()

        return await database.transaction(add), lost, await database.row(COUNT)

    assert (1, [True], (1,)) == run(work)


def test_a_transaction_lost_at_its_commit_is_not_repeated(run, database_url):
    async def work(database):
        lose(database, database_url, "commit")
        with pytest.raises(DatabaseUnavailable):
            await database.transaction(lambda connection: connection.execute(ADD))
        return await database.row(COUNT)

    assert (0,) == run(work)
