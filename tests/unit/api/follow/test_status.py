"""Positions and estimates from the numbers of the database."""

from types import SimpleNamespace

import pytest

from api.follow.status import queue_estimate
from jobs.job import JobStatus
from jobs.statements.queue.forecast import Forecast
from jobs.wire.status import QueueEstimate
from jobs.wire.wait_reasons import SENTENCES, Reason


def job(status: JobStatus, progress: float = 0.0):
    return SimpleNamespace(status=status, progress=progress)


@pytest.mark.parametrize(
    ("ahead", "reason", "expected"),
    [
        (0, Reason.SERVER_BUSY, Reason.SERVER_BUSY),
        (3, Reason.SERVER_BUSY, Reason.QUEUE),
        (3, Reason.SERVER_OFFLINE, Reason.SERVER_OFFLINE),
        (None, Reason.INPUTS, Reason.INPUTS),
    ],
)
def test_a_waiting_job_says_why(ahead, reason, expected):
    found = queue_estimate(job(JobStatus.QUEUED), Forecast(ahead=ahead, reason=reason), None).waiting_for
    assert (expected, SENTENCES[expected]) == (found.code, found.message)


def test_every_reason_has_a_sentence():
    assert set(Reason) == SENTENCES.keys()


@pytest.mark.parametrize(("ahead", "place"), [(0, 1), (41, 42), (999, 1000), (1000, "1000+")])
def test_positions_are_exact_to_a_thousand(ahead, place):
    assert place == queue_estimate(job(JobStatus.QUEUED), Forecast(ahead=ahead, servers=1), 1.0).queue_position


def test_only_a_queued_job_has_a_position():
    assert queue_estimate(job(JobStatus.PROCESSING), Forecast(seconds=4.0, servers=1), 1.0).queue_position is None


@pytest.mark.parametrize(
    ("ahead", "servers", "seconds", "estimate", "expected"),
    [
        (0, 1, 4.0, 9.0, 4.0),
        (3, 1, 4.0, 9.0, 16.0),
        (3, 2, 4.0, 9.0, 10.0),
        (3, 1, None, 9.0, 36.0),  # not run yet: the catalog's estimate
        (3, 1, None, None, None),  # gone from the catalog
        (3, 0, 4.0, 9.0, None),  # not served: it may wait forever
    ],
)
def test_a_queued_job_waits_for_those_ahead(ahead, servers, seconds, estimate, expected):
    found = queue_estimate(job(JobStatus.QUEUED), Forecast(ahead=ahead, servers=servers, seconds=seconds), estimate)
    assert expected == found.estimated_seconds


@pytest.mark.parametrize(("progress", "expected"), [(0.0, 8.0), (0.75, 2.0), (1.0, 0.0), (7.0, 0.0)])
def test_a_running_job_has_what_its_progress_leaves(progress, expected):
    found = queue_estimate(job(JobStatus.PROCESSING, progress), Forecast(seconds=8.0, servers=1), 1.0)
    assert expected == found.estimated_seconds


@pytest.mark.parametrize("status", [JobStatus.QUEUED, JobStatus.PENDING, JobStatus.COMPLETED])
def test_what_no_database_has_forecast_is_left_out(status):
    assert QueueEstimate() == queue_estimate(job(status), Forecast(), 4.0)


@pytest.mark.parametrize("status", [JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.CANCELLED])
def test_a_job_that_has_ended_has_only_a_balance(status):
    found = queue_estimate(job(status), Forecast(balance=1.5), 1.0)
    assert (None, None, 1.5) == (found.queue_position, found.estimated_seconds, found.balance_remaining_usd)
