"""Rectified flow: from noise to latents along straight lines.

A noisy latent is (1 - sigma) * data + sigma * noise, and the model predicts data - noise. So a step from one sigma to
a smaller one ADDS (sigma - next) * velocity; diffusers' flow-match schedulers have the opposite sign.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from pipelines.mesh.triposg.config import ScheduleConfig

Model = Callable[[Tensor, Tensor, Tensor], Tensor]
"""`model(latents, time, context)` returns a velocity, with the shapes of `Transformer.forward`."""
Velocity = Callable[[Tensor, Tensor], Tensor]
"""`velocity(latents, time)` returns the same, for a fixed condition."""


def sigmas_of(steps: int, shift: float = 1.0) -> Tensor:
    """Return `steps` + 1 float32 noise levels, falling from 1 to 0; `shift` above 1 spends more on high levels."""
    straight = 1.0 - torch.arange(steps, dtype=torch.float64) / steps
    shifted = shift * straight / (1.0 + (shift - 1.0) * straight)
    return torch.cat([shifted, torch.zeros(1, dtype=torch.float64)]).float()


def guided(model: Model, context: Tensor, scale: float) -> Velocity:
    """Return the velocity with classifier-free guidance, in float32.

    It goes from the velocity without a condition towards the one with `context`, `scale` times as far. Without a
    condition means a context of zeros. Up to a scale of 1 the model runs only once.
    """
    if scale <= 1:
        return lambda latents, time: model(latents, time, context).float()
    both = torch.cat([torch.zeros_like(context), context])

    def velocity(latents: Tensor, time: Tensor) -> Tensor:
        without, with_it = model(latents.repeat(2, 1, 1), time.repeat(2), both).float().chunk(2)
        return without + scale * (with_it - without)

    return velocity


def denoise(
    velocity: Velocity,
    noise: Tensor,
    dtype: torch.dtype,
    config: ScheduleConfig,
    steps: int,
    on_step_end: Callable[[int], None],
) -> Tensor:
    """Return latents from `noise` (B x N x C, float32), kept in float32; `velocity` gets them in `dtype`.

    `on_step_end(done)` is called after each of the `steps`; an error that it raises ends the work.
    """
    sigmas = sigmas_of(steps, config.shift).to(noise.device)
    latents = noise
    for number in range(steps):
        time = (config.num_train_timesteps * sigmas[number]).expand(len(latents))
        predicted = velocity(latents.to(dtype), time)
        latents = latents + (sigmas[number] - sigmas[number + 1]) * predicted
        on_step_end(number + 1)
    return latents
