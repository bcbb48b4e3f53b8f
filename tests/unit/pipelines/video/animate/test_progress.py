"""Progress of a pipeline without a callback, through its scheduler."""

import pytest

from pipelines.catalog.spec import Stage
from pipelines.runtime.protocol import JobCancelled, RunContext
from pipelines.video.animate.progress import reported_steps


class Scheduler:
    """What a modular pipeline asks: for a schedule, then for each step of it."""

    timesteps: tuple[int, ...] = ()

    def set_timesteps(self, steps: int) -> None:
        self.timesteps = tuple(range(steps))

    def step(self, value: int, *, more: int) -> int:
        return value + more


def made(scheduler: Scheduler, segments: int, steps: int) -> list[int]:
    found = []
    for _ in range(segments):
        scheduler.set_timesteps(steps)
        found += [scheduler.step(time, more=1) for time in scheduler.timesteps]
    return found


def test_each_step_of_each_segment_is_reported() -> None:
    log: list[tuple[float, Stage]] = []
    context = RunContext(seed=1, progress=lambda part, stage: log.append((part, stage)), warn=print)
    scheduler = Scheduler()

    with reported_steps(scheduler, context, 2, compiles=True):
        assert [1, 2, 3] * 2 == made(scheduler, 2, 3)
    made(scheduler, 1, 3)

    shares = [0, 1 / 8, 2 / 8, 3 / 8, 4 / 8, 5 / 8, 6 / 8, 7 / 8]
    stages = ["compile", "compile", "compile", "decode", "prepare", "step", "step", "decode"]
    assert list(zip(shares, stages, strict=True)) == log


def test_a_cancelled_job_ends_at_its_step() -> None:
    def stop(part: float, stage: Stage) -> None:
        if part > 0.4:
            raise JobCancelled

    scheduler, steps = Scheduler(), Scheduler.step
    context = RunContext(seed=1, progress=stop, warn=print)
    with pytest.raises(JobCancelled), reported_steps(scheduler, context, 1, compiles=False):
        made(scheduler, 1, 3)
    assert steps == type(scheduler).step
    assert {"timesteps"} == vars(scheduler).keys(), "it has its own methods again"
