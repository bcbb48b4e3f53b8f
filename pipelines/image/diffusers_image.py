"""The family `diffusers-image`: any text-to-image pipeline that diffusers ships, by its `model_index.json`."""

from collections.abc import Callable
from inspect import signature
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from jobs.errors import ModelLoadFailed, PipelineFailed
from jobs.params import ImageParams
from pipelines.checkpoint import load_diffusers
from pipelines.image.arguments import call_arguments
from pipelines.image.size import plan_size
from pipelines.pipeline import Inputs, Raw, RunContext
from pipelines.spec import ModelSpec

LEAST_MULTIPLE = 8
"""Many pipelines refuse sides that are no multiple of 8, whatever their VAE says."""


class DiffusersImage:
    """Text to one picture; the pixels are those of the same diffusers pipeline called directly."""

    def __init__(self, spec: ModelSpec, weights: Path, device: str) -> None:
        dtype = spec.dtype or ("float32" if device == "cpu" else "bfloat16")
        self.spec = spec
        self.pipe = load_diffusers(weights, getattr(torch, dtype), device, spec.variant)
        self.accepts = frozenset(signature(self.pipe.__call__).parameters)
        if "prompt" not in self.accepts:
            raise ModelLoadFailed(f"{type(self.pipe).__name__} takes no prompt.")
        self.multiple = spec.limits.side_multiple or _multiple(self.pipe)

    def run(self, params: ImageParams, inputs: Inputs, ctx: RunContext) -> Raw:
        """One picture for `params`, seeded with `ctx.seed`; reports after every step."""
        size = plan_size(self.spec, (params.width, params.height), self.multiple)
        arguments, warnings = call_arguments(self.spec, params, size, self.accepts)
        for warning in warnings:
            ctx.warn(warning)
        ctx.progress(0.0, "prepare")
        extras = {
            "generator": torch.Generator("cpu").manual_seed(ctx.seed),
            "callback_on_step_end": _reporter(ctx),
            "output_type": "np",
        }
        arguments |= {name: value for name, value in extras.items() if name in self.accepts}
        made = _picture(self.spec, self.pipe(**arguments).images[0])
        picture = size.finish(made)
        return Raw(
            arrays={"0": np.asarray(picture)},
            warnings=warnings,
            facts={
                "seed": ctx.seed,
                "num_inference_steps": arguments.get("num_inference_steps"),
                "guidance_scale": arguments.get("guidance_scale"),
                "made_width": made.width,
                "made_height": made.height,
            },
        )


def _multiple(pipe: Any) -> int:
    """What the sides must be multiples of: diffusers keeps it (VAE factor and patch size) in the image
    processor."""
    config = getattr(getattr(pipe, "image_processor", None), "config", {})
    return max(LEAST_MULTIPLE, int(config.get("vae_scale_factor", 16)))


def _reporter(ctx: RunContext) -> Callable[..., dict[str, Any]]:
    """A `callback_on_step_end` that reports, and stops by raising: with diffusers' own `_interrupt` the
    pipeline would still decode."""

    def report(pipe: Any, step: int, timestep: Any, tensors: dict[str, Any]) -> dict[str, Any]:
        steps = max(step + 1, int(getattr(pipe, "num_timesteps", 0) or 0))
        ctx.progress((step + 1) / (steps + 1), "decode" if step + 1 == steps else "step")
        return tensors

    return report


def _picture(spec: ModelSpec, values: NDArray[np.float32]) -> Image.Image:
    """Height x width x 3 in 0 to 1 as diffusers itself makes a picture of it, except that NaN, which it turns
    into black without a word, raises `PipelineFailed`."""
    if not np.isfinite(values).all():
        raise PipelineFailed(f"{spec.id} computed numbers that are not finite; there is no picture.")
    return Image.fromarray((values * 255).round().astype(np.uint8)).convert("RGB")
