"""A claim of this worker."""

import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from tests.support.gpu_worker.fakes import CHAOS, NOW, make_job
from workers.gpu.job.claimed_job import ClaimedJob
from workers.ipc.messages import AnyMessage, Computed


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


class TestRun:
    """The run of several jobs: one request, made by whichever of their threads comes first."""

    def members(self) -> list[ClaimedJob]:
        first = ClaimedJob.begin(make_job(1), CHAOS, Path("/nowhere"))
        return [first, *(ClaimedJob.begin(make_job(n), CHAOS, Path("/nowhere"), beside=first) for n in (2, 3))]

    def test_one_asks_for_all(self) -> None:
        members, asked = self.members(), list[Sequence[ClaimedJob]]()

        def ask(wanted: Sequence[ClaimedJob]) -> Mapping[ClaimedJob, AnyMessage]:
            asked.append(wanted)
            return {claimed: Computed(ticket=claimed.ticket) for claimed in wanted}

        answers = [claimed.run.answer_to(claimed, ask) for claimed in reversed(members)]
        assert [members] == asked
        assert ["job_3-1", "job_2-1", "job_1-1"] == [
            answer.ticket for answer in answers if isinstance(answer, Computed)
        ]
        assert [3, 3, 3] == [claimed.run.size for claimed in members]

    def test_one_that_is_unwanted_by_then_is_left_out(self) -> None:
        members = self.members()
        members[1].cancellation.lose_claim()

        def ask(wanted: Sequence[ClaimedJob]) -> Mapping[ClaimedJob, AnyMessage]:
            return {claimed: Computed(ticket=claimed.ticket) for claimed in wanted}

        answers = [claimed.run.answer_to(claimed, ask) for claimed in members]
        assert [True, False, True] == [answer is not None for answer in answers]
        assert 2 == members[0].run.size

    def test_what_went_wrong_is_raised_for_each(self) -> None:
        asked: list[int] = []

        def ask(wanted: Sequence[ClaimedJob]) -> Mapping[ClaimedJob, AnyMessage]:
            asked.append(len(wanted))
            raise OSError("away")

        for claimed in self.members():
            with pytest.raises(OSError, match="away"):
                claimed.run.answer_to(claimed, ask)
        assert [3] == asked
