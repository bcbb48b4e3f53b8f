"""A database with rows."""

import pytest

from jobs.database import sync_engine
from jobs.settings import Settings
from tests.support.rows import Rows


@pytest.fixture
def rows(database_url):
    engine = sync_engine(Settings(database_url=database_url))
    yield Rows(engine)
    engine.dispose()
