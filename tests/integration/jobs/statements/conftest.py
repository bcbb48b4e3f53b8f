"""One database for all tests of a module, emptied for each."""

import pytest
from sqlalchemy import text

from core.database import sync_engine
from core.settings import Settings
from tests.support.rows.rows import Rows
from tests.support.servers.databases import CLEAR


@pytest.fixture(scope="module")
def module_rows(module_database_url):
    engine = sync_engine(Settings(database_url=module_database_url))
    yield Rows(engine)
    engine.dispose()


@pytest.fixture
def empty(module_rows):
    """Empties every table."""
    return lambda: module_rows.execute(text(CLEAR))


@pytest.fixture
def rows(module_rows, empty):
    empty()
    return module_rows
