"""The family `wan-animate`: a person in a picture moves as the one in a film does, by Wan-Animate-2."""

from collections.abc import Sequence
from pathlib import Path

import msgspec
import torch
from PIL import Image

from core.errors.failures import ModelLoadFailed
from jobs.params.video import VideoParams
from pipelines.catalog.requirements import MOTION, check_media
from pipelines.catalog.spec import ModelSpec
from pipelines.diffusion.acceleration import Acceleration, precision
from pipelines.diffusion.checkpoint import loader_for, resident_modules
from pipelines.diffusion.decode_retry import clear_vae_cache, decode_retried
from pipelines.diffusion.sampling_settings import choose
from pipelines.diffusion.warmup import PROMPT, STEPS
from pipelines.image.arguments import cover
from pipelines.image.inputs import read_image
from pipelines.image.size import SizePlan, plan_size
from pipelines.memory.weight_loader import WeightLoader
from pipelines.runtime.protocol import Inputs, RawOutput, RunContext
from pipelines.video.animate.arguments import STEP, shown_arguments, within
from pipelines.video.animate.attention import FlexAttention
from pipelines.video.animate.checkpoint import load_animate
from pipelines.video.animate.progress import reported_steps
from pipelines.video.arguments import call_arguments
from pipelines.video.color import empty_video
from pipelines.video.diffusers_video import fill_video
from pipelines.video.driving import driving_clip, driving_frames, plan_driven
from pipelines.video.frames import FramePlan, plan_frames

MULTIPLE = 16
"""Sides must be multiples of this: the autoencoder makes one of 8 pixels, and the transformer reads 2x2 of those."""
ACCEPTS = frozenset({"prompt", "negative_prompt", "num_inference_steps", "guidance_scale"})
"""What of the request the pipeline takes; the guidance is its guider's."""


class _Shown(msgspec.Struct, frozen=True):
    """What a video is made of: a still in the size to make, and a driving film of as many frames as the plan."""

    still: Image.Image
    film: Sequence[Image.Image]
    size: SizePlan
    plan: FramePlan


class WanAnimate:
    """Videos in which a person in `input_image` moves as the one in `motion_video`, segment after segment.

    The frames equal those of the same modular pipeline of diffusers called directly.
    """

    def __init__(self, spec: ModelSpec, weights: Path, device: str, loader: WeightLoader | None = None) -> None:
        if spec.limits.frame_step % STEP:
            raise ModelLoadFailed(f"This model makes {STEP} n + 1 frames; write `limits.frame_step = {STEP}`.")
        self.spec = spec
        self.pipe = load_animate(weights, precision(spec, device), loader_for(spec, device, loader), spec)
        self.guider = self.pipe.guider
        self.flex = FlexAttention(device, is_compiled=spec.compile)
        self.acceleration = Acceleration([self.pipe], spec, device)
        self._resident = resident_modules(self.pipe, device, are_blocks_offloaded=spec.offload_blocks)

    @property
    def modules(self) -> list[torch.nn.Module]:
        """See `pipelines.runtime.protocol.Pipeline`."""
        return self._resident

    @property
    def warnings(self) -> tuple[str, ...]:
        """See `pipelines.runtime.protocol.Pipeline`."""
        return self.acceleration.warnings

    def run(self, params: VideoParams, inputs: Inputs, ctx: RunContext) -> RawOutput:
        """Make `frames` for `params`, seeded with `ctx.seed`; report after every step.

        Raises what `check_media` raises, and `NotFinite`.
        """
        check_media(self.spec, inputs.files)
        clip = driving_clip(inputs)
        assert clip is not None, f"an entry of this family takes `{MOTION}`"
        size = self._size(params)
        plan = plan_driven(self.spec, params.duration_seconds, clip, goes_on=True)
        # Whole frames: a hand that is cut off is not followed.
        film = [*driving_frames(clip, plan, size.make, within)]
        still = cover(read_image(inputs.files["input_image"]), size.make)
        return self._make(params, _Shown(still, film, size, plan), ctx)

    def warm_up(self, ctx: RunContext) -> None:
        """See `pipelines.runtime.protocol.Pipeline`."""
        width, height = self.spec.defaults.width, self.spec.defaults.height
        params = VideoParams(prompt=PROMPT, num_inference_steps=STEPS, width=width, height=height)
        size, plan = self._size(params), plan_frames(self.spec, self.spec.limits.min_seconds)
        gray = Image.new("RGB", size.make, "gray")
        self._make(params, _Shown(gray, [gray] * plan.frames, size, plan), ctx)

    def _size(self, params: VideoParams) -> SizePlan:
        return plan_size(self.spec, (params.width, params.height), self.spec.limits.side_multiple or MULTIPLE)

    def _make(self, params: VideoParams, shown: _Shown, ctx: RunContext) -> RawOutput:
        arguments, warnings = call_arguments(self.spec, params, shown.size, shown.plan, ACCEPTS)
        if params.motion_as_given:
            warnings += (f"{self.spec.id} does not use `motion_as_given`; it was ignored",)
        for warning in warnings:
            ctx.warn(warning)
        guidance = arguments.pop("guidance_scale", self.guider.guidance_scale)
        self.pipe.guider = self.guider.new(guidance_scale=guidance)
        reuse = choose(self.spec, params).reuse
        compiles = self.flex.is_due or self.acceleration.compiles(self.pipe, reuse)
        ctx.progress(0.0, "compile" if compiles else "prepare")

        def compute() -> torch.Tensor:
            with reported_steps(self.pipe.scheduler, ctx, len(shown.plan.clips), compiles=compiles):
                made: torch.Tensor = self.pipe(
                    **arguments,
                    **shown_arguments(shown.still, shown.film, shown.plan),
                    max_sequence_length=self.pipe.transformer.config.text_len,
                    generator=torch.Generator("cpu").manual_seed(ctx.seed),
                    output_type="pt",
                    output="videos",
                )[0]
            return made

        try:
            with self.flex.used(), decode_retried(self.pipe, ctx.make_room):
                made = self.acceleration.run(self.pipe, reuse, compute)
        except Exception:
            clear_vae_cache(self.pipe)
            raise
        finally:
            self.pipe.transformer.block_masks.clear()  # one for each size and length, which nothing else would remove
        frames = empty_video(ctx, len(made), *shown.size.asked)
        fill_video(frames, made, shown.size, self.spec.id)
        return RawOutput(
            arrays={"frames": frames},
            warnings=warnings,
            metadata={
                "seed": ctx.seed,
                "fps": shown.plan.fps,
                "frames": len(frames),
                "num_inference_steps": len(self.pipe.scheduler.timesteps),
                "guidance_scale": guidance,
                "precision": self.acceleration.precision,
                "made_width": shown.size.make[0],
                "made_height": shown.size.make[1],
            },
        )
