"""A server's name on real PostgreSQL."""

import time
from collections.abc import Iterator

import msgspec
import pytest
from sqlalchemy import Engine

from core.database import sync_engine
from core.settings import Settings
from jobs.statements.servers import fleet
from jobs.wire.servers import ServerFacts
from tests.support.wait import until
from workers.gpu.server.lease import ServerIdLost, ServerIdTaken, ServerLease, check_name

FACTS = ServerFacts(state="idle", device="cpu", serves=("chaos",))


@pytest.fixture
def settings(database_url: str) -> Settings:
    return Settings(database_url=database_url, server_id="one", server_lease_seconds=2, takeover_seconds=20)


@pytest.fixture
def database(settings: Settings) -> Iterator[Engine]:
    engine = sync_engine(settings)
    yield engine
    engine.dispose()


def never(seconds: float) -> bool:
    """A pause that nobody cuts short."""
    time.sleep(seconds)
    return False


def taken(database: Engine, settings: Settings) -> ServerLease:
    presence = ServerLease(database, settings)
    presence.take(FACTS, never)
    return presence


def alive(database: Engine) -> bool:
    with database.begin() as connection:
        return bool(connection.execute(fleet()).one().alive)


@pytest.mark.parametrize("name", ["", "a/b", "a b", "gpu%n", "ü", "a\0", "a" * 201])
def test_a_name_that_no_server_can_have(name: str) -> None:
    with pytest.raises(ValueError, match="can not be a server's name"):
        check_name(name)


def test_a_name_may_be_that_of_a_machine() -> None:
    check_name("rack-3.gpu_0:1")


def test_a_name_is_taken_kept_and_given_back(database: Engine, settings: Settings) -> None:
    presence = taken(database, settings)
    assert (1, True) == (presence.incarnation, alive(database))
    assert "active" == presence.beat(FACTS)
    presence.leave()
    assert not alive(database)


def test_a_dead_holder_is_succeeded_and_notices_when_it_wakes(database: Engine, settings: Settings) -> None:
    first = taken(database, settings)
    second = taken(database, settings)  # waits for the first one's lease
    assert 2 == second.incarnation
    with pytest.raises(ServerIdLost):
        first.beat(FACTS)
    first.leave()
    second.beat(FACTS)
    assert alive(database)


def test_a_living_holder_is_not_succeeded(database: Engine, settings: Settings) -> None:
    taken(database, msgspec.structs.replace(settings, server_lease_seconds=60))
    with pytest.raises(ServerIdTaken, match="another living worker"):
        ServerLease(database, msgspec.structs.replace(settings, takeover_seconds=0.2)).take(FACTS, never)


def test_waiting_for_a_name_can_be_cut_short(database: Engine, settings: Settings) -> None:
    taken(database, msgspec.structs.replace(settings, server_lease_seconds=60))
    with pytest.raises(ServerIdTaken, match="stopped"):
        ServerLease(database, settings).take(FACTS, lambda seconds: True)


def test_a_clock_that_is_far_off_is_noticed_and_forgiven_once_it_is_right(
    database: Engine, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    presence = taken(database, msgspec.structs.replace(settings, server_lease_seconds=60))
    real = time.time
    with monkeypatch.context() as patched:
        patched.setattr("workers.gpu.server.lease.time.time", lambda: real() + 3600)
        presence.beat(FACTS)
    assert presence.skewed
    presence.beat(FACTS)
    assert not presence.skewed


def test_a_lapsed_lease_is_renewed_while_nobody_else_has_the_name(database: Engine, settings: Settings) -> None:
    presence = taken(database, settings)
    until(lambda: not alive(database), 10, "the lease to run out")
    presence.beat(FACTS)
    assert alive(database)
