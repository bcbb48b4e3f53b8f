"""When a server beats, and what follows from it."""

from typing import Any, cast

import pytest

from jobs.wire.servers import ServerFacts
from tests.support.gpu_worker.fakes import FakeLease
from workers.gpu.claim_gate import ClaimGate
from workers.gpu.heartbeat import Heartbeat
from workers.gpu.server.lease import ServerIdLost


class Bench:
    """A heartbeat of 1000 s around a fake lease."""

    def __init__(self) -> None:
        self.lease, self.calls = FakeLease(), list[str]()
        self.gate = ClaimGate(cast(Any, self.lease), cast(Any, None), cast(Any, None))
        self.heartbeat = Heartbeat(
            cast(Any, self.lease),
            self.gate,
            1000.0,
            describe=lambda: ServerFacts(state=self.gate.desired, device="cpu"),
            on_change=lambda: self.calls.append("change"),
            on_loss=lambda: self.calls.append("loss"),
        )

    def states(self) -> list[str]:
        """Return the states that were shown."""
        return [facts.state for facts in self.lease.facts]


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.setattr("workers.gpu.heartbeat.time.monotonic", lambda: 5000.0)
    return Bench()


def test_a_beat_is_due_once_per_interval(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    for now, beats in ((5000.0, 1), (5999.0, 1), (6000.0, 2)):
        monkeypatch.setattr("workers.gpu.heartbeat.time.monotonic", lambda now=now: now)
        bench.heartbeat.beat_if_due()
        assert beats == len(bench.lease.facts)


def test_a_beat_that_was_asked_for_is_due_at_once(bench: Bench) -> None:
    bench.heartbeat.beat_if_due()
    bench.heartbeat.ask()
    bench.heartbeat.beat_if_due()
    bench.heartbeat.beat_if_due()
    assert 2 == len(bench.lease.facts)


def test_another_desired_state_is_shown_at_once(bench: Bench) -> None:
    bench.lease.desired = ["cordoned"]
    bench.heartbeat.beat_if_due()
    assert "cordoned" == bench.gate.desired
    assert ["active", "cordoned"] == bench.states()
    assert ["change"] == bench.calls


def test_a_name_that_was_lost_ends_the_worker(bench: Bench) -> None:
    bench.lease.desired = [ServerIdLost("taken")]
    bench.heartbeat.beat_if_due()
    assert ["loss"] == bench.calls


def test_a_beat_that_failed_changes_nothing(bench: Bench) -> None:
    bench.lease.desired = [OSError("away")]
    bench.heartbeat.beat_if_due()
    assert "active" == bench.gate.desired
    assert [] == bench.calls
