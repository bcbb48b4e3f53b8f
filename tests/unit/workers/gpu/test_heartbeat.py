"""When a server beats, which claims it keeps, and what follows from a beat."""

from pathlib import Path
from typing import Any, cast

import pytest

from core.settings import Settings
from jobs.statements.queue.beat import HeldClaim
from jobs.wire.servers import ServerFacts
from tests.support.gpu_worker.fakes import CHAOS, FakeChild, FakeClock, FakeLease, make_job
from workers.gpu.claim_gate import ClaimGate
from workers.gpu.heartbeat import Heartbeat, beat_seconds
from workers.gpu.job.activity import SLACK_SECONDS, JobActivity
from workers.gpu.job.cancellation import Cancellation
from workers.gpu.job.canceller import JobCanceller
from workers.gpu.job.claimed_job import ClaimedJob
from workers.gpu.job.slots import JobSlots
from workers.gpu.server.lease import ServerIdLost
from workers.ipc.messages import StageProgress


class Bench:
    """A heartbeat of 1000 s around a fake lease."""

    def __init__(self) -> None:
        self.lease, self.calls = FakeLease(), list[str]()
        self.gate = ClaimGate(cast(Any, self.lease), cast(Any, None), cast(Any, None))
        self.slots, self.engine, self.clock = JobSlots(), FakeChild(), FakeClock()
        self.heartbeat = Heartbeat(
            cast(Any, self.lease),
            self.gate,
            self.slots,
            JobCanceller(cast(Any, self.engine), self.slots),
            1000.0,
            describe=lambda: ServerFacts(state=self.gate.desired, device="cpu"),
            on_change=lambda: self.calls.append("change"),
            on_loss=lambda: self.calls.append("loss"),
        )

    def claim(self) -> ClaimedJob:
        """Return a claimed job."""
        claimed = ClaimedJob(
            job=make_job(),
            spec=CHAOS,
            folder=Path("/nowhere"),
            claim_seconds=0.0,
            claimed_at=self.clock(),
            activity=JobActivity(CHAOS.deadlines, self.clock),
            cancellation=Cancellation(),
        )
        self.slots.add(claimed)
        return claimed

    def beat(self) -> list[HeldClaim]:
        """Beat once, and return the claims that were kept."""
        self.heartbeat.ask()
        self.heartbeat.beat_if_due()
        return list(self.lease.claims[-1].values())

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


def test_a_beat_that_failed_is_due_again_at_once(bench: Bench) -> None:
    bench.lease.desired = [OSError("away"), "active"]
    for _ in range(3):
        bench.heartbeat.beat_if_due()
    assert 2 == len(bench.lease.facts)


def test_several_beats_fit_into_either_lease() -> None:
    for changes in ({}, {"lease_seconds": 4.0}, {"server_lease_seconds": 4.0}):
        settings = Settings(**cast(Any, changes))
        assert 4 * beat_seconds(settings) <= min(settings.lease_seconds, settings.server_lease_seconds)
    assert 0.5 == beat_seconds(Settings(renew_seconds=0.5))


def test_a_claim_is_kept_with_the_last_report(bench: Bench) -> None:
    claimed = bench.claim()
    assert [HeldClaim(ticket="job_1-1", job_id="job_1", fence=1)] == bench.beat()
    claimed.activity.last_report = StageProgress(fraction=0.5, stage="step", warnings=("resized",))
    reported = HeldClaim(ticket="job_1-1", job_id="job_1", fence=1, fraction=0.5, stage="step", warnings=("resized",))
    assert [reported] == bench.beat()


def test_a_beat_tells_the_number_of_the_row(bench: Bench) -> None:
    claimed = bench.claim()
    bench.beat()
    assert 41 == claimed.activity.event_seq


def test_the_lease_of_an_overdue_stage_runs_out(bench: Bench) -> None:
    claimed = bench.claim()
    claimed.activity.enter("step", 20.0)
    bench.clock.advance(20.0 + SLACK_SECONDS)
    assert ["job_1-1"] == [claim.ticket for claim in bench.beat()]
    bench.clock.advance(0.1)
    assert [] == bench.beat()
    assert not claimed.cancellation.is_set


def test_a_lost_claim_is_abandoned_and_not_kept_again(bench: Bench) -> None:
    claimed = bench.claim()
    bench.lease.gone.add("job_1-1")
    bench.beat()
    assert claimed.cancellation.claim_is_gone
    assert [("job_1-1", False)] == bench.engine.interrupts
    assert [] == bench.beat()


def test_a_preempted_job_keeps_its_lease_until_its_release(bench: Bench) -> None:
    bench.claim().cancellation.preempt()
    assert ["job_1-1"] == [claim.ticket for claim in bench.beat()]
