"""One service with the demo model for the whole folder: API, CPU worker, GPU worker on the CPU."""

from collections.abc import Iterator

import pytest

from tests.support.servers.databases import Databases
from tests.support.service.service import Service, service


@pytest.fixture(scope="session")
def studio(postgres: Databases, valkey: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """The service, ready; its webhooks may go to loopback."""
    with (
        postgres.fresh() as url,
        service(
            tmp_path_factory.mktemp("studio"),
            database_url=url,
            broker_url=valkey,
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
