"""A claim in a worker's hands."""

from math import inf
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pipelines.catalog.loader import load_catalog
from tests.support.paths import CATALOG as CATALOG_FILE
from workers.gpu.job.claimed_job import SLACK_SECONDS, ClaimedJob

CATALOG = load_catalog(CATALOG_FILE)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Any:
    clock = SimpleNamespace(now=100.0)
    monkeypatch.setattr("workers.gpu.job.claimed_job.time.monotonic", lambda: clock.now)
    monkeypatch.setattr(
        "workers.gpu.job.claimed_job.time.sleep", lambda seconds: setattr(clock, "now", clock.now + seconds)
    )
    return clock


def held() -> ClaimedJob:
    job = SimpleNamespace(id="job_1", fence=7)
    return ClaimedJob(job, CATALOG.get("chaos"), Path("/nowhere"))  # type: ignore[arg-type]


def test_a_ticket_names_job_and_fence() -> None:
    assert "job_1-7" == held().ticket


def test_a_stage_is_overrun_only_past_its_deadline_and_the_slack(clock: Any) -> None:
    mine = held()
    mine.enter("step", 10)
    clock.now += 10 + SLACK_SECONDS
    assert not mine.overrun
    clock.now += 0.1
    assert mine.overrun


def test_entering_a_stage_starts_its_deadline_anew(clock: Any) -> None:
    mine = held()
    for _ in range(3):
        mine.enter("step")
        clock.now += mine.spec.deadlines.step
        assert not mine.overrun


def test_a_pause_ends_early_only_for_a_job_that_is_given_up(clock: Any) -> None:
    mine = held()
    assert not mine.store_is_refusing
    assert not mine.pause(1.0)
    assert mine.store_is_refusing
    assert pytest.approx(101.0, abs=0.11) == clock.now
    mine.lost = True
    assert mine.pause(1000.0)
    assert clock.now < 102


def test_what_remains_is_told_from_the_pace_so_far(clock: Any) -> None:
    mine = held()
    mine.report(0.0)
    assert inf == mine.remaining
    clock.now += 3
    mine.report(0.75)
    assert 1.0 == mine.remaining
    clock.now += 0.5
    assert 0.5 == mine.remaining


def test_the_pace_is_measured_from_the_beginning_of_the_computing(clock: Any) -> None:
    """Loading the model reports 0 too, and so does a second try after out of memory."""
    mine = held()
    mine.report(0.0)
    clock.now += 60
    mine.report(0.0)
    assert inf == mine.remaining
    clock.now += 2
    mine.report(0.5)
    assert 2.0 == mine.remaining
