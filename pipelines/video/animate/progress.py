"""Progress of a modular pipeline, which has no callback: its scheduler is asked for each step. No torch."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

from pipelines.image.progress import StepProgress
from pipelines.runtime.protocol import RunContext


@contextmanager
def reported_steps(scheduler: Any, ctx: RunContext, segments: int, *, compiles: bool) -> Iterator[None]:
    """Within the block, report each step of `scheduler`, and each schedule that begins, of so many.

    What `ctx.progress` raises ends the pipeline there.
    """
    begin, make = scheduler.set_timesteps, scheduler.step
    number, done = -1, 0

    def progress() -> StepProgress:
        return StepProgress(ctx, number, segments, compiles and number == 0)

    @wraps(begin)
    def begin_reported(*args: Any, **named: Any) -> Any:
        nonlocal number, done
        begun = begin(*args, **named)
        number, done = number + 1, 0
        progress().begin()
        return begun

    @wraps(make)
    def make_reported(*args: Any, **named: Any) -> Any:
        nonlocal done
        made = make(*args, **named)
        done += 1
        progress().report(done, len(scheduler.timesteps))
        return made

    scheduler.set_timesteps, scheduler.step = begin_reported, make_reported
    try:
        yield
    finally:
        del scheduler.set_timesteps, scheduler.step
