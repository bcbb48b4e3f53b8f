"""The command `atelier` with a database and a broker of the test's own."""

import pytest
from click.testing import CliRunner

from cli.main import atelier
from core.database import sync_engine
from core.settings import Settings
from tests.support.rows.rows import Rows

SECRET = "a secret of thirty-two characters"


@pytest.fixture
def environment(database_url, broker_url, tmp_path, monkeypatch):
    """The environment variables of a process of the service."""
    variables = {
        "ATELIER_DATABASE_URL": database_url,
        "ATELIER_BROKER_URL": broker_url,
        "ATELIER_SECRET_KEY": SECRET,
        "ATELIER_STORAGE_URL": f"file://{tmp_path}/objects",
        "ATELIER_DATA": str(tmp_path / "data"),
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return variables


@pytest.fixture
def run(environment):
    """A function that runs `atelier` and returns the outcome with the expected status."""

    def invoke(*words: str, status: int = 0):
        outcome = CliRunner().invoke(atelier, words)
        assert status == outcome.exit_code, outcome.output
        return outcome

    return invoke


@pytest.fixture
def rows(database_url):
    db = sync_engine(Settings(database_url=database_url))
    yield Rows(db)
    db.dispose()
