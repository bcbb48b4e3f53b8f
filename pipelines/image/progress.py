"""Progress of a job of several images. No torch."""

from collections.abc import Callable
from typing import Any

import msgspec

from pipelines.catalog.spec import Stage
from pipelines.runtime.protocol import RunContext


def _is_not_drawn(pipe: Any, step: int, of: int, latents: Any) -> None:
    """Draw nothing."""


class StepProgress(msgspec.Struct, frozen=True):
    """Progress of output `number` (from 0) of `count`, and of the next ones where `size` are made at once.

    Each is the same share of the whole, so progress only rises.

    `on_latents` gets the latents after each step, before it is reported.

    An output that `compiles` is in the stage `compile` until it is decoded: any step may be the first to need a graph.
    """

    ctx: RunContext
    number: int
    count: int
    compiles: bool = False
    size: int = 1
    on_latents: Callable[[Any, int, int, Any], None] = _is_not_drawn

    def begin(self) -> None:
        """Report that this output begins. Raises what `ctx.progress` raises."""
        self.ctx.progress(self.number / self.count, "compile" if self.compiles else "prepare")

    def on_step_end(self, pipe: Any, step: int, timestep: Any, tensors: dict[str, Any]) -> dict[str, Any]:
        """Report a step; a `callback_on_step_end` of diffusers.

        It stops the pipeline by raising: with diffusers' own `_interrupt` the pipeline would still decode.
        """
        steps = max(step + 1, int(getattr(pipe, "num_timesteps", 0) or 0))
        if "latents" in tensors:
            self.on_latents(pipe, step + 1, steps, tensors["latents"])
        self.report(step + 1, steps)
        return tensors

    def report(self, done: int, steps: int) -> None:
        """Report that so many steps of so many are made. Raises what `ctx.progress` raises."""
        part = done / (steps + 1)
        stage: Stage = "compile" if self.compiles else "step"
        self.ctx.progress((self.number + part * self.size) / self.count, "decode" if done == steps else stage)
