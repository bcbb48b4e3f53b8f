"""A database with rows."""

import pytest
from celery import signals

from core.database import sync_engine
from core.settings import Settings
from tests.support.rows.rows import Rows


@pytest.fixture
def rows(database_url):
    engine = sync_engine(Settings(database_url=database_url))
    yield Rows(engine)
    engine.dispose()


@pytest.fixture
def celery_logs_as_they_are():
    """Celery sets up no logging of its own, which would take the root logger from pytest for good."""

    def leave(**_):
        pass

    signals.setup_logging.connect(leave)
    yield
    signals.setup_logging.disconnect(leave)
