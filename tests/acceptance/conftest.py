"""One service with the demo model for the whole folder: API, CPU worker, GPU worker on the CPU."""

from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from tests.support.servers.databases import Databases
from tests.support.service.service import Service, service


@pytest.fixture(scope="session")
def studio(postgres: Databases, valkey: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """The service, ready; its webhooks may go to loopback.

    It stays to the end of the run, so it has a database of Redis to itself: its workers would take the bells of others.
    """
    with (
        postgres.fresh() as url,
        service(
            tmp_path_factory.mktemp("studio"),
            database_url=url,
            broker_url=urlsplit(valkey)._replace(path="/1").geturl(),
            ATELIER_CATALOG="",
            ATELIER_DEVELOPMENT="1",
            ATELIER_ALLOWED_NETWORKS="127.0.0.0/8",
            ATELIER_LEASE_SECONDS="30",
            ATELIER_UPKEEP_SECONDS="5",
        ) as made,
    ):
        made.api()
        made.cpu()
        made.gpu("studio")
        yield made
