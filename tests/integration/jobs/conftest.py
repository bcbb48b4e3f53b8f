"""A Valkey that a test may stop, and a job to tell of."""

import pytest

from cli.embedded.valkey import EmbeddedValkey


@pytest.fixture
def server(tmp_path):
    with EmbeddedValkey(tmp_path / "valkey") as running:
        yield running


@pytest.fixture
def job(rows):
    return rows.submit(rows.tenant())
