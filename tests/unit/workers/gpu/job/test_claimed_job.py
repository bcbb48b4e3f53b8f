"""A claim of this worker."""

import time
from datetime import timedelta
from pathlib import Path

from tests.support.gpu_worker.fakes import CHAOS, NOW, make_job
from workers.gpu.job.claimed_job import ClaimedJob


def test_a_ticket_names_job_and_fence() -> None:
    assert "job_1-7" == ClaimedJob.begin(make_job(1, fence=7), CHAOS, Path("/nowhere")).ticket


def test_two_claims_of_one_job_are_not_equal() -> None:
    first, second = (ClaimedJob.begin(make_job(), CHAOS, Path("/nowhere")) for _ in range(2))
    assert first != second
    assert first == first


def test_the_time_left_is_counted_by_the_databases_clock() -> None:
    """The row says when it was claimed and when it is late; how this machine's clock is set does not matter."""
    job = make_job(started_at=NOW, deadline_at=NOW + timedelta(seconds=90))
    claimed = ClaimedJob.begin(job, CHAOS, Path("/nowhere"))
    left = claimed.claimed_at + 90 - time.monotonic()
    assert left - 1 < claimed.seconds_left <= left
