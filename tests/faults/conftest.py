"""A service whose servers the test may stop."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from sqlalchemy.engine import make_url

from cli.embedded.postgres import EmbeddedPostgres
from cli.embedded.valkey import EmbeddedValkey
from jobs.schema.migrate import migrate
from tests.support.servers.pgbouncer import AdmittingPostgres, pgbouncer
from tests.support.servers.pgbouncer_install import MISSING, find_pgbouncer
from tests.support.servers.proxy import Proxy
from tests.support.service.service import Service, service


@pytest.fixture(scope="module")
def own_postgres(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[EmbeddedPostgres]:
    """A PostgreSQL of the module's own, with the newest schema."""
    kind = AdmittingPostgres if request.config.getoption("pgbouncer") else EmbeddedPostgres
    with kind(tmp_path_factory.mktemp("postgres"), durable=False) as server:
        migrate(server.url)
        yield server


@pytest.fixture(scope="module")
def own_database_url(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, own_postgres: EmbeddedPostgres
) -> Iterator[str]:
    """URL of its database; with `--pgbouncer` by a PgBouncer that stays when the server goes."""
    if not request.config.getoption("pgbouncer"):
        yield own_postgres.url
        return
    if find_pgbouncer() is None:
        pytest.skip(MISSING)
    with pgbouncer(tmp_path_factory.mktemp("pgbouncer"), own_postgres.url) as pooler:
        yield pooler.url_of(make_url(own_postgres.url).database or "")


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedValkey]:
    """A Valkey of the module's own."""
    with EmbeddedValkey(tmp_path_factory.mktemp("valkey")) as server:
        yield server


@pytest.fixture(scope="module")
def network(broker: EmbeddedValkey) -> Iterator[Proxy]:
    """A way to that Valkey which can be cut."""
    with Proxy(urlsplit(broker.url).port or 0) as proxy:
        yield proxy


@pytest.fixture(scope="module")
def through(broker: EmbeddedValkey, network: Proxy) -> str:
    """URL of that Valkey by that way."""
    return broker.url.replace(f":{urlsplit(broker.url).port}/", f":{network.port}/")


@pytest.fixture
def stack(tmp_path: Path, database_url: str, broker_url: str) -> Iterator[Service]:
    """A service with a database of its own on the shared servers; nothing runs yet."""
    with service(tmp_path, database_url=database_url, broker_url=broker_url) as made:
        yield made
