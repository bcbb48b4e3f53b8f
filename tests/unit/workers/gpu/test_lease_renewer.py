"""Which leases are renewed, and when."""

from pathlib import Path
from typing import Any, cast

import pytest

from tests.support.gpu_worker.fakes import CHAOS, FakeChild, FakeClock, FakeJobStore, make_job
from workers.gpu.job.activity import SLACK_SECONDS, JobActivity
from workers.gpu.job.cancellation import Cancellation
from workers.gpu.job.canceller import JobCanceller
from workers.gpu.job.claimed_job import ClaimedJob
from workers.gpu.job.slots import JobSlots
from workers.gpu.lease_renewer import LeaseRenewer


class Bench:
    """A renewer around fakes, whose interval is 10 s, with one claimed job."""

    def __init__(self) -> None:
        self.job_store, self.engine, self.clock = FakeJobStore(), FakeChild(), FakeClock()
        slots = JobSlots()
        canceller = JobCanceller(cast(Any, self.engine), slots)
        self.renewer = LeaseRenewer(cast(Any, self.job_store), slots, canceller, 10.0, self.clock)
        self.claimed = ClaimedJob(
            job=make_job(),
            spec=CHAOS,
            folder=Path("/nowhere"),
            claim_seconds=0.0,
            claimed_at=self.clock(),
            activity=JobActivity(CHAOS.deadlines, self.clock),
            cancellation=Cancellation(),
        )
        slots.add(self.claimed)

    def renewals(self, after: float) -> int:
        """Let time pass and the renewer work; return the renewals so far."""
        self.clock.advance(after)
        self.renewer.renew_due()
        return self.job_store.verbs().count("renew")


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_a_lease_is_renewed_once_per_interval(bench: Bench) -> None:
    assert [0, 1, 1, 2] == [bench.renewals(seconds) for seconds in (9.9, 0.1, 9.9, 0.1)]


def test_the_lease_of_an_overdue_stage_runs_out(bench: Bench) -> None:
    bench.claimed.activity.enter("step", 20.0)
    assert 1 == bench.renewals(20.0 + SLACK_SECONDS)
    assert 1 == bench.renewals(10.0)


def test_a_lost_claim_is_abandoned_and_not_renewed_again(bench: Bench) -> None:
    bench.job_store.gone.add("job_1")
    assert 1 == bench.renewals(10.0)
    assert bench.claimed.cancellation.claim_is_gone
    assert [(bench.claimed.ticket, False)] == bench.engine.interrupts
    assert 1 == bench.renewals(10.0)


def test_a_preempted_job_keeps_its_lease_until_its_release(bench: Bench) -> None:
    bench.claimed.cancellation.preempt()
    assert 1 == bench.renewals(10.0)


def test_a_renewal_that_failed_is_tried_at_the_next_turn(bench: Bench) -> None:
    bench.job_store.renew_error = OSError("away")
    assert 0 == bench.renewals(10.0)
    bench.job_store.renew_error = None
    assert 1 == bench.renewals(0.0)
