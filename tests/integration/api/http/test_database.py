"""The API's access to PostgreSQL: whose time a late answer is."""

import asyncio
import time

import pytest
from sqlalchemy import text

from api.http.database import Database
from core.errors import DatabaseUnavailable
from core.settings import Settings


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
