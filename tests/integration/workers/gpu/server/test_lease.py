"""The lease of a server's name on real PostgreSQL."""

import time
from collections.abc import Iterator

import msgspec
import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError

from core.database import sync_engine
from core.settings import Settings
from jobs.schema.tables import servers
from jobs.statements.queue.beat import HeldClaim
from jobs.statements.servers import fleet
from jobs.wire.servers import ServerFacts
from tests.support.rows.traffic import traffic
from tests.support.wait import until
from workers.gpu.server.lease import Beat, ServerIdLost, ServerIdTaken, ServerLease, check_name

FACTS = ServerFacts(state="idle", device="cpu", serves=("chaos",))


@pytest.fixture
def settings(database_url: str) -> Settings:
    return Settings(database_url=database_url, server_id="one", server_lease_seconds=2, takeover_seconds=20)


@pytest.fixture
def db(settings: Settings) -> Iterator[Engine]:
    db = sync_engine(settings)
    yield db
    db.dispose()


def never(seconds: float) -> bool:
    """Pause to the end."""
    time.sleep(seconds)
    return False


def take(db: Engine, settings: Settings) -> ServerLease:
    lease = ServerLease(db, settings)
    lease.take(FACTS, never)
    return lease


def alive(db: Engine) -> bool:
    with db.begin() as connection:
        return bool(connection.execute(fleet()).one().alive)


@pytest.mark.parametrize("name", ["", "a/b", "a b", "gpu%n", "ü", "a\0", "a" * 201])
def test_a_name_that_no_server_can_have(name: str) -> None:
    with pytest.raises(ValueError, match="cannot be a server's name"):
        check_name(name)


def test_a_name_may_be_that_of_a_machine() -> None:
    check_name("rack-3.gpu_0:1")


def test_a_name_is_taken_kept_and_given_back(db: Engine, settings: Settings) -> None:
    lease = take(db, settings)
    assert (1, True) == (lease.incarnation, alive(db))
    assert Beat(desired="active") == lease.beat(FACTS)
    lease.leave()
    assert not alive(db)


def test_a_dead_holder_is_replaced_and_notices_it_later(db: Engine, settings: Settings) -> None:
    first = take(db, settings)
    second = take(db, settings)  # waits for the first one's lease
    assert 2 == second.incarnation
    with pytest.raises(ServerIdLost):
        first.beat(FACTS)
    first.leave()
    second.beat(FACTS)
    assert alive(db)


def test_a_living_holder_is_not_replaced(db: Engine, settings: Settings) -> None:
    take(db, msgspec.structs.replace(settings, server_lease_seconds=60))
    with pytest.raises(ServerIdTaken, match="another living worker"):
        ServerLease(db, msgspec.structs.replace(settings, takeover_seconds=0.2)).take(FACTS, never)


def test_waiting_for_a_name_can_be_cut_short(db: Engine, settings: Settings) -> None:
    take(db, msgspec.structs.replace(settings, server_lease_seconds=60))
    with pytest.raises(ServerIdTaken, match="stopped"):
        ServerLease(db, settings).take(FACTS, lambda seconds: True)


def test_a_skewed_clock_is_noticed_until_it_is_right(
    db: Engine, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    lease = take(db, msgspec.structs.replace(settings, server_lease_seconds=60))
    real = time.time
    with monkeypatch.context() as patched:
        patched.setattr("workers.gpu.server.lease.time.time", lambda: real() + 3600)
        lease.beat(FACTS)
    assert lease.skewed
    lease.beat(FACTS)
    assert not lease.skewed


def test_a_lapsed_lease_is_renewed_unless_it_was_taken(db: Engine, settings: Settings) -> None:
    lease = take(db, settings)
    until(lambda: not alive(db), 10, "the lease to run out")
    lease.beat(FACTS)
    assert alive(db)


def test_a_beat_is_one_transaction_whatever_it_keeps(db: Engine, settings: Settings) -> None:
    """BEGIN, the bound, the beat, COMMIT."""
    lease = take(db, settings)
    claims = [HeldClaim(ticket=f"job_{number}-1", job_id=f"job_{number}", fence=1) for number in range(5)]
    with traffic(db) as seen:
        beat = lease.beat(FACTS, claims)
    assert 4 == seen.round_trips
    assert {claim.ticket for claim in claims} == set(beat.gone)


def test_a_beat_does_not_hang_on_a_locked_name(db: Engine, settings: Settings) -> None:
    lease = take(db, msgspec.structs.replace(settings, db_timeout=0.2))
    with db.begin() as other:
        other.execute(servers.select().with_for_update())
        with pytest.raises(OperationalError, match="statement timeout"):
            lease.beat(FACTS)
    assert Beat(desired="active") == lease.beat(FACTS)
