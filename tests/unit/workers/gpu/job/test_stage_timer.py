"""The clock of an attempt."""

from types import SimpleNamespace
from typing import Any

import pytest

from jobs.job import DeviceTime
from workers.gpu.job.stage_timer import Phase, StageTimer


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Any:
    clock = SimpleNamespace(now=100.0, wall=1_000.0)
    monkeypatch.setattr("workers.gpu.job.stage_timer.time.monotonic", lambda: clock.now)
    monkeypatch.setattr("workers.gpu.job.stage_timer.time.time", lambda: clock.wall)
    return clock


def test_the_stages_of_a_pipeline_are_one_phase(clock: Any) -> None:
    stages = StageTimer()
    for stage in ("load", "compile", "prepare", "step", "decode", "encode"):
        stages.begin(stage)  # type: ignore[arg-type]
        clock.now += 1
    stages.end()
    assert [
        Phase("load", 1_000, 1_001),
        Phase("compile", 1_001, 1_002),
        Phase("compute", 1_002, 1_005),
        Phase("encode", 1_005, 1_006),
    ] == stages.phases


def test_time_between_phases_is_not_counted(clock: Any) -> None:
    stages = StageTimer()
    clock.now += 5
    stages.begin("load")
    clock.now += 1
    stages.end()
    clock.now += 5
    stages.end()
    assert {"load": 1.0} == stages.seconds()


def test_a_phase_that_comes_again_is_added_up(clock: Any) -> None:
    stages = StageTimer()
    for stage in ("load", "step", "load", "step"):
        stages.begin(stage)  # type: ignore[arg-type]
        clock.now += 2
    stages.end()
    assert {"load": 4.0, "compute": 4.0} == stages.seconds()


def test_a_clock_that_is_set_back_changes_no_phase(clock: Any) -> None:
    stages = StageTimer()
    stages.begin("upload")
    clock.now, clock.wall = 101.0, 10.0
    stages.end()
    assert [Phase("upload", 1_000, 1_001)] == stages.phases


def test_jobs_that_had_the_device_together_share_its_time(clock: Any) -> None:
    stages = StageTimer()
    for stage in ("load", "compile", "step", "upload"):
        stages.begin(stage)  # type: ignore[arg-type]
        clock.now += 1
    stages.end()
    assert DeviceTime(2.0, 1.0) == stages.device_time()
    assert DeviceTime(0.5, 0.25) == stages.device_time(4)
