"""Any text-to-image pipeline that diffusers ships, by its `model_index.json`: the family
`diffusers-image`."""

from collections.abc import Callable
from inspect import signature
from pathlib import Path
from typing import Any

import numpy as np
import torch

from jobs.errors import ModelLoadFailed, PipelineFailed
from jobs.params import ImageParams
from pipelines.checkpoint import load_diffusers
from pipelines.image.size import SizePlan, plan_size
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
            raise ModelLoadFailed(f"{spec.id}: {type(self.pipe).__name__} takes no prompt.")
        self.multiple = spec.limits.side_multiple or _multiple(self.pipe)

    def run(self, params: ImageParams, inputs: Inputs, ctx: RunContext) -> Raw:
        """One picture for `params`, seeded with `ctx.seed`; reports after every step."""
        size = plan_size(self.spec, (params.width, params.height), self.multiple)
        arguments, warnings = self.arguments(params, size)
        for warning in warnings:
            ctx.warn(warning)
        ctx.progress(0.0, "prepare")
        extras = {
            "generator": torch.Generator("cpu").manual_seed(ctx.seed),
            "callback_on_step_end": _reporter(self.spec, ctx),
            "output_type": "pil",
        }
        made = self.pipe(**arguments, **{k: v for k, v in extras.items() if k in self.accepts}).images[0]
        picture = size.finish(made.convert("RGB"))
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

    def arguments(self, params: ImageParams, size: SizePlan) -> tuple[dict[str, Any], tuple[str, ...]]:
        """What to call the pipeline with, and a warning for everything that was asked for and is left out."""
        warnings = [size.warning] if size.warning else []
        asked = {
            "negative_prompt": params.negative_prompt or None,
            "num_inference_steps": params.num_inference_steps,
            "guidance_scale": params.guidance_scale,
        }
        usable = self.accepts
        if "negative-prompt" not in self.spec.capabilities:
            usable -= {"negative_prompt"}
        ignored = [name for name, value in asked.items() if value is not None and name not in usable]
        warnings += [f"{self.spec.id} does not use {name}; it was ignored" for name in ignored]
        defaults = self.spec.defaults
        chosen = {
            "num_inference_steps": defaults.num_inference_steps,
            "guidance_scale": defaults.guidance_scale,
            **{name: value for name, value in asked.items() if value is not None},
            "prompt": params.prompt,
            "width": size.make[0],
            "height": size.make[1],
        }
        wanted = {name: value for name, value in chosen.items() if value is not None and name in usable}
        return wanted, tuple(warnings)


def _multiple(pipe: Any) -> int:
    """What the sides must be multiples of: diffusers keeps it (VAE factor and patch size) in the image
    processor."""
    config = getattr(getattr(pipe, "image_processor", None), "config", {})
    return max(LEAST_MULTIPLE, int(config.get("vae_scale_factor", 16)))


def _reporter(spec: ModelSpec, ctx: RunContext) -> Callable[..., dict[str, Any]]:
    """A `callback_on_step_end` that reports, stops and checks.

    It stops by raising: with diffusers' own `_interrupt` the pipeline would still decode. The last latents
    are looked at because a decoder turns NaN into a black picture without a word.
    """

    def report(pipe: Any, step: int, timestep: Any, tensors: dict[str, Any]) -> dict[str, Any]:
        steps = max(step + 1, int(getattr(pipe, "num_timesteps", 0) or 0))
        last = step + 1 == steps
        latents = tensors.get("latents")
        if last and latents is not None and not bool(torch.isfinite(latents).all()):
            raise PipelineFailed(f"{spec.id} computed numbers that are not finite; there is no picture.")
        ctx.progress((step + 1) / (steps + 1), "decode" if last else "step")
        return tensors

    return report
