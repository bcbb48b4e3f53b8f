"""A claim of this worker."""

from pathlib import Path

from tests.support.gpu_worker.fakes import CHAOS, make_job
from workers.gpu.job.claimed_job import ClaimedJob


def test_a_ticket_names_job_and_fence() -> None:
    assert "job_1-7" == ClaimedJob.begin(make_job(1, fence=7), CHAOS, Path("/nowhere")).ticket


def test_two_claims_of_one_job_are_not_equal() -> None:
    first, second = (ClaimedJob.begin(make_job(), CHAOS, Path("/nowhere")) for _ in range(2))
    assert first != second
    assert first == first
