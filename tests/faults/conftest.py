"""A service whose servers the test may stop."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.embedded import EmbeddedPostgres, EmbeddedValkey
from tests.support.service import Service, service


@pytest.fixture
def own_valkey(tmp_path: Path) -> Iterator[EmbeddedValkey]:
    """A Valkey of the test's own."""
    with EmbeddedValkey(tmp_path / "valkey") as server:
        yield server


@pytest.fixture
def own_postgres(tmp_path: Path) -> Iterator[EmbeddedPostgres]:
    """A PostgreSQL of the test's own."""
    with EmbeddedPostgres(tmp_path / "postgres", durable=False) as server:
        yield server


@pytest.fixture
def stack(tmp_path: Path, database_url: str, own_valkey: EmbeddedValkey) -> Iterator[Service]:
    """A service with a database of its own on the shared server; nothing runs yet."""
    with service(tmp_path, database_url=database_url, broker_url=own_valkey.url) as made:
        yield made
