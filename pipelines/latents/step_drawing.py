"""Pictures of a run at its steps: what the latents say by now of the image that comes."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from pipelines.catalog.sizes import Size
from pipelines.latents.spaces import LatentSpace, space_of
from pipelines.runtime.protocol import RunContext

LONGER_SIDE = 256
"""A picture has at most so many pixels on its longer side."""
STRAIGHT = {"EulerDiscreteScheduler", "FlowMatchEulerDiscreteScheduler"}
"""Schedulers whose step is a straight line to the image as it is foreseen."""


class StepDrawing:
    """The drawing of one call of a pipeline, which makes images of `size` (width, height) for the jobs of `contexts`.

    The latents of a step are the image and noise. Two of them foresee the image: a step of Euler goes along a line,
    and that line ends at it. So the first step of a call shows nothing.
    """

    def __init__(self, size: Size, contexts: Sequence[RunContext]) -> None:
        self._size = size
        self._contexts = contexts
        self._before: torch.Tensor | None = None

    def on_latents(self, pipe: Any, step: int, of: int, latents: torch.Tensor) -> None:
        """Offer the latents after a step, from 1, to be drawn for the jobs of which a preview is asked for."""
        before, self._before = self._before, latents
        if before is None:
            return
        for number, ctx in enumerate(self._contexts):
            pair = before[number : number + 1], latents[number : number + 1]
            ctx.show_step(step, of, lambda pair=pair: self._draw(pipe, *pair))  # type: ignore[misc]

    def _draw(self, pipe: Any, before: torch.Tensor, now: torch.Tensor) -> NDArray[np.uint8]:
        space = space_of(pipe)
        assert space is not None
        before, now = (unpack(latents.detach(), space.channels, self._size) for latents in (before, now))
        return project(foresee(before, now, pipe.scheduler), space)


def drawing_for(pipe: Any, size: Size, contexts: Sequence[RunContext]) -> StepDrawing | None:
    """Return the drawing of a call of this pipeline; None where its latent space is not known."""
    return None if space_of(pipe) is None else StepDrawing(size, contexts)


def unpack(latents: torch.Tensor, channels: int, size: Size) -> torch.Tensor:
    """Return latents as channels x height x width, of a film those in its middle.

    They come as 1 x channels x height x width, with frames before the height, or packed as 1 x tokens x values, where a
    token holds 2 x 2 of them. Raises `ValueError`.
    """
    if latents.ndim == 5:
        return latents[0, :, latents.shape[2] // 2]
    if latents.ndim == 4:
        return latents[0]
    _, tokens, values = latents.shape
    width, height = size
    rows = round((tokens * height / width) ** 0.5)
    if values != 4 * channels or rows == 0 or tokens % rows:
        raise ValueError(f"{tokens} tokens of {values} values are not {channels} channels of {width}x{height}")
    grid = latents[0].reshape(rows, tokens // rows, channels, 2, 2)
    return grid.permute(2, 0, 3, 1, 4).reshape(channels, 2 * rows, 2 * (tokens // rows))


def foresee(before: torch.Tensor, now: torch.Tensor, scheduler: Any) -> torch.Tensor:
    """Return the latents at which a step from `before` to `now` points; `now` where the scheduler does not say."""
    before, now = before.float(), now.float()
    is_straight = type(scheduler).__name__ in STRAIGHT or scheduler.config.get("use_flow_sigmas")
    index = getattr(scheduler, "step_index", None)
    if not is_straight or not index or index >= len(scheduler.sigmas):
        return now
    noise_before, noise = (sigma.to(now.device) for sigma in scheduler.sigmas[index - 1 : index + 1])
    foreseen: torch.Tensor = now - noise * (now - before) / (noise - noise_before)
    return foreseen


def project(latents: torch.Tensor, space: LatentSpace) -> NDArray[np.uint8]:
    """Return latents, channels x height x width, as a picture, height x width x 3, within `LONGER_SIDE`."""
    factors = torch.tensor(space.factors, dtype=torch.float32, device=latents.device)
    bias = torch.tensor(space.bias, dtype=torch.float32, device=latents.device)
    colors = torch.einsum("chw,cp->phw", latents, factors) + bias[:, None, None]
    if space.spread > 1:
        _, height, width = colors.shape
        cells = colors.reshape(space.spread, space.spread, 3, height, width)
        colors = cells.permute(2, 3, 0, 4, 1).reshape(3, height * space.spread, width * space.spread)
    longer = max(colors.shape[1:])
    if longer > LONGER_SIDE:
        height, width = (max(1, side * LONGER_SIDE // longer) for side in colors.shape[1:])
        colors = torch.nn.functional.adaptive_avg_pool2d(colors, (height, width))
    shades = ((colors + 1) * 127.5).round().clamp(0, 255).nan_to_num(0).to(torch.uint8)
    picture: NDArray[np.uint8] = shades.permute(1, 2, 0).contiguous().cpu().numpy()
    return picture
