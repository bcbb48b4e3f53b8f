"""Which reports of the engine reach followers."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest

from tests.support.gpu_worker.fakes import CHAOS, FakeClock, FakeJobStore, make_job, report
from workers.gpu.job.claimed_job import ClaimedJob
from workers.gpu.job.progress_writer import ProgressWriter


class Pool:
    """A pool whose thread works only when it is let to."""

    def __init__(self) -> None:
        self.tasks: list[Callable[[], object]] = []

    def submit(self, function: Callable[..., object], *arguments: object) -> None:
        self.tasks.append(lambda: function(*arguments))

    def work(self) -> None:
        while self.tasks:
            self.tasks.pop(0)()


class Bench:
    """A writer around fakes, whose interval is 10 s."""

    def __init__(self) -> None:
        self.job_store, self.clock, self.pool = FakeJobStore(), FakeClock(), Pool()
        self.writer = ProgressWriter(cast(Any, self.job_store), 10.0, self.clock)
        self.writer._pool = cast(Any, self.pool)

    def write(self, claimed: ClaimedJob, fraction: float, stage: str = "step") -> None:
        """Report, and let the thread work."""
        self.writer.write(claimed, report(fraction, stage))
        self.pool.work()


def claim(number: int = 1) -> ClaimedJob:
    return ClaimedJob.begin(make_job(number), CHAOS, Path("/nowhere"))


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_reports_are_written_once_per_interval(bench: Bench) -> None:
    claimed = claim()
    bench.write(claimed, 0.1)
    bench.clock.advance(9.9)
    bench.write(claimed, 0.2)
    bench.clock.advance(0.1)
    bench.write(claimed, 0.3)
    assert [0.1, 0.3] == bench.job_store.progress_of("job_1")


def test_a_new_stage_is_written_at_once(bench: Bench) -> None:
    claimed = claim()
    bench.write(claimed, 0.1)
    bench.write(claimed, 0.9, "decode")
    assert [0.1, 0.9] == bench.job_store.progress_of("job_1")


def test_the_first_report_of_the_next_job_is_written_at_once(bench: Bench) -> None:
    bench.write(claim(1), 0.9)
    bench.write(claim(2), 0.1)
    assert [0.1] == bench.job_store.progress_of("job_2")


def test_reports_that_wait_are_written_as_one(bench: Bench) -> None:
    claimed = claim()
    for fraction in (0.1, 0.2, 0.3):
        bench.writer.write(claimed, report(fraction))
        bench.clock.advance(10.0)
    bench.pool.work()
    assert [0.3] == bench.job_store.progress_of("job_1")


def test_every_report_is_kept_for_the_beat(bench: Bench) -> None:
    claimed = claim()
    for fraction in (0.1, 0.2):
        bench.writer.write(claimed, report(fraction))
    assert report(0.2) == claimed.activity.last_report


def test_a_report_has_the_number_of_the_row_that_it_follows(bench: Bench) -> None:
    claimed = claim()
    bench.write(claimed, 0.1)
    claimed.activity.event_seq = 7  # after a beat
    bench.write(claimed, 0.2, "decode")
    assert [(1, 1), (7, 2)] == [write[4] for write in bench.job_store.writes]


def test_reports_between_two_beats_are_numbered_on(bench: Bench) -> None:
    claimed = claim()
    for number in range(3):
        bench.write(claimed, 0.1 * number)
        bench.clock.advance(10.0)
    assert [(1, 1), (1, 2), (1, 3)] == [write[4] for write in bench.job_store.writes]
