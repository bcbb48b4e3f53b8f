"""A real Celery worker behind TLS and behind Sentinel: it takes orders and replies, as it does without them."""

import asyncio
import os

import pytest

from api.operations.server_commands import ServerCommands
from cli.embedded.valkey import EmbeddedValkey
from core.settings import Settings
from jobs.server_commands import Preload
from tests.support.paths import TLS
from tests.support.servers.sentinel import Sentinel
from tests.support.servers.tls_front import TlsFront
from tests.support.service.command_recorder import SERVES, command_recorder, orders

pytestmark = pytest.mark.long

AUTHORITY = str(TLS / "broker_ca.pem")


@pytest.fixture
def broker(tmp_path):
    with EmbeddedValkey(tmp_path / "valkey") as server:
        yield server


def ordered(settings):
    """The orders that a worker takes when it is sent one."""
    environment = dict(os.environ) | {"ATELIER_CA_BUNDLE": settings.ca_bundle}
    with command_recorder(settings, "gpu-1", environment):
        commands = ServerCommands(settings)
        asyncio.run(commands.send("gpu-1", Preload(model=SERVES[0])))
        commands.close()
        return orders(settings)


def test_orders_go_through_tls(broker):
    port = int(broker.url.rpartition(":")[2].partition("/")[0])
    with TlsFront(TLS / "broker.pem", port) as front:
        url = broker.url.replace("redis://", "rediss://").replace(str(port), str(front.port))
        assert [["preload", SERVES[0], False]] == ordered(Settings(broker_url=url, ca_bundle=AUTHORITY))
    assert front.received


def test_orders_go_through_sentinel(broker, tmp_path):
    folder = tmp_path / "sentinel"
    folder.mkdir()
    with Sentinel(folder, broker.url) as sentinel:
        assert [["preload", SERVES[0], False]] == ordered(Settings(broker_url=sentinel.url))
