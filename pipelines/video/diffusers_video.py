"""The family `diffusers-video`: videos from text or stills, with Wan, VACE, LTX or Cosmos 3, by `model_index.json`."""

from collections.abc import Mapping
from functools import partial
from inspect import signature
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch
from diffusers import (
    Cosmos3OmniPipeline,
    LTXImageToVideoPipeline,
    LTXPipeline,
    WanImageToVideoPipeline,
    WanPipeline,
    WanVACEPipeline,
)
from numpy.typing import NDArray
from PIL import Image

from core.errors.failures import ModelLoadFailed, NotFinite
from jobs.params.video import VideoParams
from pipelines.catalog.requirements import MOTION, check_media
from pipelines.catalog.sizes import Size
from pipelines.catalog.spec import Capability, ModelSpec
from pipelines.diffusion.acceleration import Acceleration, precision
from pipelines.diffusion.checkpoint import load_diffusers, loader_for, resident_modules
from pipelines.diffusion.context_parallel import check_context_parallel, divides, shared_steps
from pipelines.diffusion.decode_retry import clear_vae_cache, decode_retried
from pipelines.diffusion.prompt_cache import PromptCache
from pipelines.diffusion.sampling_settings import choose
from pipelines.diffusion.warmup import PROMPT, STEPS, minimal_inputs
from pipelines.image.arguments import cover
from pipelines.image.inputs import read_image
from pipelines.image.lora import load_loras, scheduled, schedulers, use_loras
from pipelines.image.lora_files import loaded_files, name_files
from pipelines.image.progress import StepProgress
from pipelines.image.size import SizePlan, plan_size
from pipelines.latents.step_drawing import drawing_for
from pipelines.memory.weight_loader import WeightLoader
from pipelines.runtime.protocol import Inputs, RawOutput, RunContext
from pipelines.video.arguments import call_arguments
from pipelines.video.color import empty_video, fill_planes
from pipelines.video.driving import driving_clip, driving_frames, plan_driven
from pipelines.video.encode import SOUND_RATE
from pipelines.video.frames import plan_frames
from pipelines.video.vace import AS_GIVEN, followed_frames, known_frames

PAIRS: tuple[tuple[Any, Any], ...] = (
    (WanPipeline, WanImageToVideoPipeline),
    (LTXPipeline, LTXImageToVideoPipeline),
    (WanVACEPipeline, WanVACEPipeline),
    (Cosmos3OmniPipeline, Cosmos3OmniPipeline),
)
"""For text, and for a still: two pipelines of the same components, or one that does both. A repository names one."""
MULTIPLE = 32
"""Sides must be multiples of this where the catalog does not say: `VideoParams` accepts no others."""
CHUNK = 8
"""Frames that are converted at once: in floating point a whole video is eight times as large."""


class _Clip(msgspec.Struct, frozen=True):
    """What a pipeline made: `frames`, n x 3 x height x width in 0 to 1, and `sound`, channels x samples in -1 to 1."""

    frames: torch.Tensor
    sound: torch.Tensor | None = None


class DiffusersVideo:
    """Videos from text, and from a still where the catalog says so; with sound of the same steps, where it says that.

    The frames equal those of the same diffusers pipeline called directly.
    """

    def __init__(self, spec: ModelSpec, weights: Path, device: str, loader: WeightLoader | None = None) -> None:
        self.spec = spec
        loaded = load_diffusers(weights, precision(spec, device), loader_for(spec, device, loader), spec)
        words, still = _pair(loaded)
        load_loras(loaded, spec, weights)
        self.pipe, self.schedulers = loaded, schedulers(loaded, spec)
        classes = {"text-to-video": words}
        classes |= dict.fromkeys(("image-to-video", "first-last-frame", "motion-control"), still)
        self.pipes = {
            capability: _as(class_, loaded) for capability, class_ in classes.items() if capability in spec.capabilities
        }
        _check_capabilities(spec, self.pipes)
        pipes = set(self.pipes.values())
        for pipe in pipes if spec.gpus > 1 else ():
            check_context_parallel(pipe, spec.gpus)
        self.acceleration = Acceleration(pipes, spec, device)
        prompts = PromptCache()
        for pipe in pipes:
            prompts.attach(pipe)
        self._resident = resident_modules(loaded, device, are_blocks_offloaded=spec.offload_blocks)

    @property
    def modules(self) -> list[torch.nn.Module]:
        """See `Pipeline`."""
        return self._resident

    @property
    def warnings(self) -> tuple[str, ...]:
        """See `pipelines.runtime.protocol.Pipeline`."""
        return self.acceleration.warnings

    def run(self, params: VideoParams, inputs: Inputs, ctx: RunContext) -> RawOutput:
        """Make `frames` for `params`, seeded with `ctx.seed`; report after every step.

        Processes other than that of `ctx.rank` 0 make the steps too, and return no arrays.

        Raises what `check_media`, `name_files` and `loaded_files` raise.
        """
        named = name_files(self.spec, params, inputs)
        with loaded_files(self.pipe, self.spec, named.files):
            return self._run(named.params, inputs, ctx)

    def _run(self, params: VideoParams, inputs: Inputs, ctx: RunContext) -> RawOutput:
        pipe, driving = self._pipe(inputs), driving_clip(inputs)
        accepts = frozenset(signature(pipe.__call__).parameters)
        size = plan_size(self.spec, (params.width, params.height), self.spec.limits.side_multiple or MULTIPLE)
        seconds = params.duration_seconds
        frame_plan = plan_driven(self.spec, seconds, driving) if driving else plan_frames(self.spec, seconds)
        arguments, warnings = call_arguments(self.spec, params, size, frame_plan, accepts)
        choices = choose(self.spec, params)
        reuse, loras = choices.reuse, choices.loras
        use_loras(self.pipe, self.spec, loras)
        pipe.scheduler = self.schedulers[scheduled(self.spec, loras)]
        ranks = self._ranks(pipe, size, frame_plan.frames, ctx)
        if ctx.rank >= ranks:
            return RawOutput(arrays={})
        if ranks < ctx.ranks:
            undivided = f"{size.make[0]}x{size.make[1]} cannot be divided among {ctx.ranks} GPUs; one computed it"
            warnings = (*warnings, undivided)
        if driving is not None:
            warnings = (AS_GIVEN, *warnings)
        for warning in warnings:
            ctx.warn(warning)
        progress = StepProgress(ctx, 0, 1, self.acceleration.compiles(pipe, reuse, loras))
        drawing = drawing_for(pipe, size.make, [ctx])
        if drawing is not None:
            progress = msgspec.structs.replace(progress, on_latents=drawing.on_latents)
        progress.begin()
        if driving is not None:
            pictures = followed_frames(inputs, [*driving_frames(driving, frame_plan, size.make)])
        elif isinstance(pipe, WanVACEPipeline):
            pictures = known_frames(inputs, size.make, frame_plan.frames)
        else:
            pictures = _stills(inputs, size.make)
        make = partial(_make, pipe, arguments | pictures, ctx, progress)
        try:
            with shared_steps(pipe, ranks):
                made = self.acceleration.run(pipe, reuse, make, loras)
        except Exception:
            clear_vae_cache(pipe)
            raise
        if ctx.rank > 0:
            return RawOutput(arrays={})
        frames = empty_video(ctx, len(made.frames), *size.asked)
        self._convert(made.frames, size, frames)
        arrays: dict[str, NDArray[Any]] = {"frames": frames}
        if made.sound is not None:
            arrays["sound"] = self._heard(made.sound, len(frames) / frame_plan.fps)
        return RawOutput(
            arrays=arrays,
            warnings=warnings,
            metadata={
                "seed": ctx.seed,
                "fps": frame_plan.fps,
                "frames": len(frames),
                "num_inference_steps": arguments.get("num_inference_steps"),
                "guidance_scale": arguments.get("guidance_scale"),
                "cache": None if reuse is None else reuse.kind,
                "gpus": ranks,
                "precision": self.acceleration.precision,
                "made_width": size.make[0],
                "made_height": size.make[1],
            },
        )

    def _ranks(self, pipe: Any, size: SizePlan, frames: int, ctx: RunContext) -> int:
        """Return how many processes make this run: all of `ctx.ranks`, or one where they would not have equal parts."""
        return ctx.ranks if ctx.ranks == 1 or divides(pipe, *size.make, frames, ctx.ranks) else 1

    def warm_up(self, ctx: RunContext) -> None:
        """See `Pipeline`."""
        width, height = self.spec.defaults.width, self.spec.defaults.height
        with minimal_inputs(self.spec) as inputs:
            self.run(VideoParams(prompt=PROMPT, num_inference_steps=STEPS, width=width, height=height), inputs, ctx)

    def _convert(self, made: torch.Tensor, size: SizePlan, frames: NDArray[np.uint8]) -> None:
        """Convert n x 3 x height x width in 0 to 1 into planes of the requested size, on the device.

        Raises `NotFinite` for NaN, which would silently be black.
        """
        for start in range(0, len(made), CHUNK):
            chunk = made[start : start + CHUNK].float()
            if not torch.isfinite(chunk).all():
                raise NotFinite(f"{self.spec.id} computed values that are not finite; it made no video.")
            chunk = _sized(chunk, size)
            planes = torch.empty((len(chunk), *frames.shape[1:]), dtype=torch.uint8, device=chunk.device)
            fill_planes(planes, chunk)
            torch.from_numpy(frames[start : start + CHUNK]).copy_(planes)

    def _heard(self, sound: torch.Tensor, seconds: float) -> NDArray[np.int16]:
        """Return n x 2 samples, as long as the frames: the model's are a little longer. Raises `NotFinite`."""
        wave = sound[:, : round(seconds * SOUND_RATE)].float()
        if not torch.isfinite(wave).all():
            raise NotFinite(f"{self.spec.id} computed a sound that is not finite; it made no video.")
        stereo = wave.clamp(-1, 1).expand(2, -1) * 32767
        return np.ascontiguousarray(stereo.round().to(torch.int16).T.cpu().numpy())

    def _pipe(self, inputs: Inputs) -> Any:
        """Return the pipeline for these inputs. Raises what `check_media` raises."""
        check_media(self.spec, inputs.files)
        ways: dict[str, Capability] = {
            MOTION: "motion-control",
            "last_image": "first-last-frame",
            "input_image": "image-to-video",
        }
        return self.pipes[next((ways[name] for name in ways if name in inputs.files), "text-to-video")]


def _make(pipe: Any, arguments: dict[str, Any], ctx: RunContext, progress: StepProgress) -> _Clip:
    """Call the pipeline once. For a rank above 0 the frames are not decoded."""
    extras = {
        "generator": torch.Generator("cpu").manual_seed(ctx.seed),
        "callback_on_step_end": progress.on_step_end,
        "output_type": "pt" if ctx.rank == 0 else "latent",
    }
    with decode_retried(pipe, ctx.make_room):
        made = pipe(**arguments, **extras)
    return _Clip(made.video, made.sound) if isinstance(pipe, Cosmos3OmniPipeline) else _Clip(made.frames[0])


def _pair(pipe: Any) -> tuple[Any, Any]:
    """Return the two pipelines of which this is one. Raises `ModelLoadFailed`."""
    for pair in PAIRS:
        if isinstance(pipe, pair):
            return pair
    raise ModelLoadFailed(f"{type(pipe).__name__} is not a pipeline of this family.")


def _as(class_: Any, pipe: Any) -> Any:
    """Return a pipeline of this class with the same components.

    No weight is in memory twice, and none changes its precision, as `from_pipe` would do.
    """
    if isinstance(pipe, class_):
        return pipe
    names = signature(class_.__init__).parameters
    values = {name: value for name, value in {**pipe.config, **pipe.components}.items() if name in names}
    made = class_(**values)
    made.set_progress_bar_config(disable=True)
    return made


def _check_capabilities(spec: ModelSpec, pipes: Mapping[Any, Any]) -> None:
    """Raise `ModelLoadFailed` where a pipeline ignores or does not take what the catalog says that the model uses."""
    able = [isinstance(pipe, WanVACEPipeline) for pipe in pipes.values()]
    for capability, what in (("references", "references"), ("motion-control", "a film")):
        if capability in spec.capabilities and not all(able):
            raise ModelLoadFailed(f"This model cannot follow {what}; remove `{capability}` from the catalog.")
    if "sound" in spec.capabilities and not all(map(_has_sound, pipes.values())):
        raise ModelLoadFailed("This model makes no sound; remove `sound` from the catalog.")
    last = pipes.get("first-last-frame")
    if last is None or isinstance(last, WanVACEPipeline):
        return
    if "last_image" not in signature(last.__call__).parameters or last.config.get("expand_timesteps"):
        raise ModelLoadFailed("This model cannot end at an image; remove `first-last-frame` from the catalog.")


def _has_sound(pipe: Any) -> bool:
    """Return whether a pipeline makes sound beside its frames, at the encoder's rate."""
    tokenizer = getattr(pipe, "sound_tokenizer", None)
    return tokenizer is not None and tokenizer.config.sampling_rate == SOUND_RATE


def _stills(inputs: Inputs, size: Size) -> dict[str, Image.Image]:
    """Return the first and last frame under the pipelines' names, cropped to the video's shape."""
    names = {"image": "input_image", "last_image": "last_image"}
    return {
        argument: cover(read_image(inputs.files[name]), size)
        for argument, name in names.items()
        if name in inputs.files
    }


def _sized(chunk: torch.Tensor, size: SizePlan) -> torch.Tensor:
    """Return the frames in the requested size, like `SizePlan.finish`, but bicubic, which torch has too."""
    if size.make == size.asked:
        return chunk
    width, height = size.asked
    if size.crop:
        left, top = size.edges
        return chunk[..., top : top + height, left : left + width]
    resized = torch.nn.functional.interpolate(chunk, (height, width), mode="bicubic", antialias=True)
    return resized.clamp(0, 1)
