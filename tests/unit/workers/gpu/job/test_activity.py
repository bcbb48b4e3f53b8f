"""Stage, deadline and pace of a claimed job."""

from math import inf

import pytest

from tests.support.gpu_worker.fakes import CHAOS, FakeClock
from workers.gpu.job.activity import SLACK_SECONDS, JobActivity


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def activity(clock: FakeClock) -> JobActivity:
    return JobActivity(CHAOS.deadlines, clock)


def test_a_job_begins_with_time_to_load_its_model(activity: JobActivity, clock: FakeClock) -> None:
    clock.advance(CHAOS.deadlines.load + SLACK_SECONDS)
    assert ("prepare", False) == (activity.stage, activity.is_overdue)
    clock.advance(0.1)
    assert activity.is_overdue


def test_a_stage_is_overdue_past_its_deadline_and_the_slack(activity: JobActivity, clock: FakeClock) -> None:
    activity.enter("step", 10)
    clock.advance(10 + SLACK_SECONDS)
    assert not activity.is_overdue
    clock.advance(0.1)
    assert activity.is_overdue


def test_entering_a_stage_begins_its_deadline_anew(activity: JobActivity, clock: FakeClock) -> None:
    for _ in range(3):
        activity.enter("step")
        clock.advance(CHAOS.deadlines.step)
        assert not activity.is_overdue


def test_waiting_for_a_stage_is_not_timed(activity: JobActivity, clock: FakeClock) -> None:
    activity.wait_for("encode", 20)
    clock.advance(20 + SLACK_SECONDS)
    assert ("encode", False) == (activity.stage, activity.is_overdue)
    activity.leave()
    assert [] == activity.timer.phases


def test_entering_a_stage_is_timed(activity: JobActivity) -> None:
    activity.enter("load")
    activity.enter("upload")
    activity.leave()
    assert ["load", "upload"] == [phase.name for phase in activity.timer.phases]


def test_a_refusal_of_the_store_is_remembered(activity: JobActivity) -> None:
    activity.enter("upload")
    assert not activity.store_is_refusing
    activity.note_refusal()
    activity.leave()
    assert activity.store_is_refusing


def test_the_remaining_time_follows_the_pace_so_far(activity: JobActivity, clock: FakeClock) -> None:
    activity.report(0.0)
    assert inf == activity.remaining_seconds
    clock.advance(3)
    activity.report(0.75)
    assert 1.0 == activity.remaining_seconds
    clock.advance(0.5)
    assert 0.5 == activity.remaining_seconds


def test_the_pace_is_measured_from_the_start_of_computing(activity: JobActivity, clock: FakeClock) -> None:
    """Loading the model reports 0 too, and so does a second try after out of memory."""
    activity.report(0.0)
    clock.advance(60)
    activity.report(0.0)
    assert inf == activity.remaining_seconds
    clock.advance(2)
    activity.report(0.5)
    assert 2.0 == activity.remaining_seconds
