"""Whether a claimed job is still wanted."""

import time

import pytest

from tests.support.gpu_worker.fakes import WAIT_SECONDS
from workers.gpu.job.cancellation import Cancellation, JobUnwanted


def test_a_job_is_wanted_at_first() -> None:
    cancellation = Cancellation()
    cancellation.raise_if_set()
    assert (False, False, False) == (
        cancellation.is_set,
        cancellation.is_preemption,
        cancellation.claim_is_gone,
    )
    assert not cancellation.wait(0.0)


@pytest.mark.parametrize("why", ["preempt", "lose_claim"])
def test_a_pause_ends_at_once_for_an_unwanted_job(why: str) -> None:
    cancellation = Cancellation()
    getattr(cancellation, why)()
    began = time.monotonic()
    assert cancellation.wait(WAIT_SECONDS)
    assert time.monotonic() - began < WAIT_SECONDS / 2
    with pytest.raises(JobUnwanted):
        cancellation.raise_if_set()


def test_a_preempted_job_is_to_be_handed_back() -> None:
    cancellation = Cancellation()
    cancellation.preempt()
    assert cancellation.is_preemption
    assert not cancellation.claim_is_gone


def test_a_claim_that_is_gone_outweighs_a_preemption() -> None:
    cancellation = Cancellation()
    cancellation.preempt()
    cancellation.lose_claim()
    assert cancellation.claim_is_gone
    assert not cancellation.is_preemption
