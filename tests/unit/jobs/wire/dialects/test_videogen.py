"""The status of an execution, from those of its jobs."""

import pytest

from jobs.job import JobStatus
from jobs.wire.dialects.videogen import STATUSES, status_of


class _Job:
    """A job as far as its status goes."""

    def __init__(self, status: JobStatus) -> None:
        self.status = status


@pytest.mark.parametrize(
    ("statuses", "word"),
    [
        ("pending", "pending"),
        ("queued pending", "pending"),
        ("queued processing", "running"),
        ("queued completed", "running"),
        ("processing failed", "running"),
        ("completed completed", "succeeded"),
        ("completed failed cancelled", "failed"),
        ("completed cancelled", "cancelled"),
    ],
)
def test_an_execution_ends_with_its_last_job(statuses, word):
    assert word == status_of([_Job(JobStatus(status)) for status in statuses.split()])


def test_every_status_has_a_word_that_its_clients_know():
    assert set(JobStatus) == set(STATUSES)
    assert {"pending", "running", "succeeded", "failed", "cancelled"} == set(STATUSES.values())
