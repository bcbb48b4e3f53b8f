"""A database with rows."""

import pytest

from core.database import sync_engine
from core.settings import Settings
from tests.support.rows.rows import Rows


@pytest.fixture
def rows(database_url):
    engine = sync_engine(Settings(database_url=database_url))
    yield Rows(engine)
    engine.dispose()
