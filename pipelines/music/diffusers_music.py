"""The family `diffusers-music`: music from words and lyrics, by ACE-Step 1.5.

The checkpoint holds the half of the published system that makes sound. The other half, a language model that writes
lyrics and chooses tempo and key, is not in diffusers: the request says them, or the first half does without.
"""

from pathlib import Path
from typing import Any

import torch
from diffusers import AceStepPipeline

from core.errors.failures import ModelLoadFailed, NotFinite
from jobs.params.sound import MusicParams
from pipelines.catalog.spec import ModelSpec
from pipelines.diffusion.acceleration import precision
from pipelines.diffusion.checkpoint import load_diffusers, torch_modules
from pipelines.diffusion.decode_retry import decode_retried
from pipelines.image.progress import StepProgress
from pipelines.memory.weight_loader import WeightLoader
from pipelines.runtime.protocol import Inputs, RawOutput, RunContext

STEPS, GUIDANCE = 8, 1.0
"""Of the distilled checkpoints, for a catalog entry without any."""
INSTRUMENTAL = "[instrumental]"
"""Lyrics of music without a voice."""


class DiffusersMusic:
    """Music of 10 seconds to 10 minutes: two channels, 48 kHz.

    The samples equal those of the same pipeline called directly.
    """

    def __init__(self, spec: ModelSpec, weights: Path, device: str, loader: WeightLoader | None = None) -> None:
        self.spec = spec
        pipe = load_diffusers(weights, precision(spec, device), loader or WeightLoader(device), spec)
        if not isinstance(pipe, AceStepPipeline):
            raise ModelLoadFailed(f"{type(pipe).__name__} is not a pipeline of this family.")
        self.pipe: Any = pipe

    @property
    def modules(self) -> list[torch.nn.Module]:
        """See `pipelines.runtime.protocol.Pipeline`."""
        return torch_modules(self.pipe)

    def run(self, params: MusicParams, inputs: Inputs, ctx: RunContext) -> RawOutput:
        """Make `samples`, n x 2; report after every step. Raises `NotFinite`."""
        steps = self.spec.steps_of(params) or STEPS
        asked = params.guidance_scale if params.guidance_scale is not None else self.spec.defaults.guidance_scale
        guidance = GUIDANCE if asked is None or self.pipe.is_turbo else asked
        warnings: tuple[str, ...] = ()
        if self.pipe.is_turbo and params.guidance_scale is not None:
            warnings = (f"{self.spec.id} does not use `guidance_scale`; it was ignored",)
            ctx.warn(warnings[0])
        progress = StepProgress(ctx, 0, 1)
        progress.begin()
        with decode_retried(self.pipe, ctx.make_room):
            made: torch.Tensor = self.pipe(
                prompt=params.prompt,
                lyrics=INSTRUMENTAL if params.instrumental else params.lyrics or "",
                vocal_language=params.language_id,
                audio_duration=params.duration_seconds,
                bpm=params.bpm,
                keyscale=params.key,
                timesignature=None if params.time_signature is None else params.time_signature.split("/")[0],
                num_inference_steps=steps,
                guidance_scale=guidance,
                generator=torch.Generator("cpu").manual_seed(ctx.seed),
                callback_on_step_end=progress.on_step_end,
            ).audios
        if not torch.isfinite(made).all():
            raise NotFinite(f"{self.spec.id} computed values that are not finite; it made no music.")
        length = round(params.duration_seconds * self.pipe.sample_rate)
        return RawOutput(
            arrays={"samples": made[0, :, :length].T.float().cpu().contiguous().numpy()},
            warnings=warnings,
            metadata={
                "seed": ctx.seed,
                "sample_rate": self.pipe.sample_rate,
                "num_inference_steps": steps,
                "guidance_scale": guidance,
            },
        )
