"""The scheduler of a model or a LoRA that was distilled to a few steps of noise that is given."""

from typing import Any

import torch
from diffusers import FlowMatchEulerDiscreteScheduler

from pipelines.catalog.spec import Schedule


class FixedSchedule(FlowMatchEulerDiscreteScheduler):
    """Steps through the sigmas of a `Schedule`, whatever number of steps a pipeline asks for.

    Wan's pipelines give no generator to a step, so that of the run is put into `generator`. Latents keep their
    precision: diffusers would round them to that of the transformer after each step.
    """

    def __init__(self, schedule: Schedule, num_train_timesteps: int) -> None:
        super().__init__(num_train_timesteps=num_train_timesteps, stochastic_sampling=schedule.stochastic)  # type: ignore[no-untyped-call]
        self.given = list(schedule.sigmas)
        self.generator: torch.Generator | None = None

    def set_timesteps(self, num_inference_steps: int | None = None, device: Any = None, **_: Any) -> None:
        """Set the steps: those that are given."""
        super().set_timesteps(sigmas=self.given, device=device)  # type: ignore[no-untyped-call]

    def step(self, model_output: torch.Tensor, timestep: Any, sample: torch.Tensor, **options: Any) -> Any:
        """Make a step; see the class of diffusers."""
        options = {"generator": self.generator} | options
        return super().step(model_output.to(sample.dtype), timestep, sample, **options)  # type: ignore[no-untyped-call]
