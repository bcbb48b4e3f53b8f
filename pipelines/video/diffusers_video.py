"""The family `diffusers-video`: videos from text or stills, with Wan, VACE, LTX or Cosmos 3, by `model_index.json`."""

from collections import deque
from collections.abc import Iterator, Mapping
from functools import partial
from inspect import signature
from pathlib import Path
from tempfile import TemporaryDirectory
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
from pipelines.diffusion.sampling_settings import SamplingSettings, choose
from pipelines.diffusion.warmup import PROMPT, STEPS, minimal_inputs
from pipelines.image.arguments import cover
from pipelines.image.inputs import read_image
from pipelines.image.lora import FixedSchedule, load_loras, scheduled, schedulers, use_loras
from pipelines.image.lora_files import loaded_files, name_files
from pipelines.image.progress import StepProgress
from pipelines.image.size import SizePlan, plan_size
from pipelines.latents.step_drawing import drawing_for
from pipelines.memory.weight_loader import WeightLoader
from pipelines.preprocessors.drawers import Drawers
from pipelines.runtime.protocol import Inputs, RawOutput, RunContext
from pipelines.video.arguments import call_arguments
from pipelines.video.color import empty_video, fill_planes
from pipelines.video.driving import driving_clip, driving_frames, plan_driven
from pipelines.video.encode import SOUND_RATE
from pipelines.video.frames import plan_frames
from pipelines.video.vace import AS_GIVEN, NOT_FOUND, followed_frames, known_frames

PAIRS: tuple[tuple[Any, Any], ...] = (
    (WanPipeline, WanImageToVideoPipeline),
    (LTXPipeline, LTXImageToVideoPipeline),
    (WanVACEPipeline, WanVACEPipeline),
    (Cosmos3OmniPipeline, Cosmos3OmniPipeline),
)
"""For text, and for a still: two pipelines of the same components, or one that does both. A repository names one."""
MULTIPLE = 32
"""Sides must be multiples of this where the catalog does not say: `VideoParams` accepts no others."""
END = "last_image"
CHUNK = 8
"""Frames that are converted at once: in floating point a whole video is eight times as large."""


class _Clip(msgspec.Struct, frozen=True):
    """What a pipeline made: `frames`, n x 3 x height x width in 0 to 1, and `sound`, channels x samples in -1 to 1."""

    frames: torch.Tensor
    sound: torch.Tensor | None = None

    def without_first(self, fps: int) -> "_Clip":
        """Return it without its first frame, which is the last one of the clip before."""
        sound = None if self.sound is None else self.sound[:, round(SOUND_RATE / fps) :]
        return _Clip(self.frames[1:], sound)


class _Run(msgspec.Struct, frozen=True):
    """What all clips of a job have in common; `arguments` have all that a driving film says, where it `is_driven`."""

    ctx: RunContext
    clips: tuple[int, ...]
    size: SizePlan
    arguments: dict[str, Any]
    is_driven: bool
    settings: SamplingSettings
    ranks: int


class DiffusersVideo:
    """Videos from text, and from a still where the catalog says so; with sound of the same steps, where it says that.

    The frames equal those of the same diffusers pipeline called directly.
    """

    def __init__(self, spec: ModelSpec, weights: Path, device: str, loader: WeightLoader | None = None) -> None:
        self.spec = spec
        loader = loader_for(spec, device, loader)
        loaded = load_diffusers(weights, precision(spec, device), loader, spec)
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
        self.drawers = Drawers(spec, weights, loader) if spec.preprocessors else None
        self._resident += [] if self.drawers is None else self.drawers.modules

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
        settings = choose(self.spec, params)
        use_loras(self.pipe, self.spec, settings.loras)
        ranks = self._ranks(pipe, size, frame_plan.clips, ctx)
        if ctx.rank >= ranks:
            return RawOutput(arrays={})
        if ranks < ctx.ranks:
            undivided = f"{size.make[0]}x{size.make[1]} cannot be divided among {ctx.ranks} GPUs; one computed it"
            warnings = (*warnings, undivided)
        if driving is not None and self.drawers is None and not params.motion_as_given:
            warnings = (AS_GIVEN, *warnings)
        for warning in warnings:
            ctx.warn(warning)
        if driving is not None:
            film = driving_frames(driving, frame_plan, size.make)
            arguments |= followed_frames(inputs, self._followed(film, ctx, as_given=params.motion_as_given))
        run = _Run(ctx, frame_plan.clips, size, arguments, driving is not None, settings, ranks)
        clips = self._clips(run, inputs)
        if ctx.rank > 0:
            deque(clips, maxlen=0)
            return RawOutput(arrays={})
        frames, place, sounds = empty_video(ctx, frame_plan.frames, *size.asked), 0, []
        for clip in clips:
            new = clip.without_first(frame_plan.fps) if place else clip
            fill_video(frames[place : place + len(new.frames)], new.frames, size, self.spec.id)
            place += len(new.frames)
            if new.sound is not None:
                sounds.append(self._heard(new.sound, len(new.frames) / frame_plan.fps))
            del clip, new  # see `_clips`
        arrays: dict[str, NDArray[Any]] = {"frames": frames}
        if sounds:
            arrays["sound"] = np.concatenate(sounds)
        return RawOutput(
            arrays=arrays,
            warnings=warnings,
            metadata={
                "seed": ctx.seed,
                "fps": frame_plan.fps,
                "frames": len(frames),
                "num_inference_steps": arguments.get("num_inference_steps"),
                "guidance_scale": arguments.get("guidance_scale"),
                "cache": None if settings.reuse is None else settings.reuse.kind,
                "gpus": ranks,
                "precision": self.acceleration.precision,
                "made_width": size.make[0],
                "made_height": size.make[1],
            },
        )

    def _clips(self, run: _Run, inputs: Inputs) -> Iterator[_Clip]:
        """Make each clip from the last frame of the one before; an end frame is that of the last clip."""
        files, last = dict(inputs.files), len(run.clips) - 1
        with TemporaryDirectory() as folder:
            for number in range(len(run.clips)):
                given = files if number == last else {name: file for name, file in files.items() if name != END}
                clip = self._clip(run, Inputs(given), number, is_decoded=run.ctx.rank == 0 or number < last)
                if number < last:
                    files["input_image"] = _save_frame(clip.frames[-1], Path(folder) / f"{number}.png")
                yield clip
                del clip  # which would stay on the GPU while the next one is made

    def _clip(self, run: _Run, inputs: Inputs, number: int, *, is_decoded: bool) -> _Clip:
        """Make one clip; without `is_decoded` its frames are latents."""
        pipe, ctx, reuse, loras = self._pipe(inputs), run.ctx, run.settings.reuse, run.settings.loras
        pipe.scheduler = self.schedulers[scheduled(self.spec, loras)]
        generator = torch.Generator("cpu").manual_seed(ctx.seed + number)
        if isinstance(pipe.scheduler, FixedSchedule):
            pipe.scheduler.generator = generator
        compiles = self.acceleration.compiles(pipe, reuse, loras)
        progress = StepProgress(ctx, number, len(run.clips), compiles)
        drawing = drawing_for(pipe, run.size.make, [ctx])
        if drawing is not None:
            progress = msgspec.structs.replace(progress, on_latents=drawing.on_latents)
        progress.begin()
        call = run.arguments | {
            "num_frames": run.clips[number],
            "generator": generator,
            "callback_on_step_end": progress.on_step_end,
            "output_type": "pt" if is_decoded else "latent",
        }
        if isinstance(pipe, WanVACEPipeline) and not run.is_driven:
            call |= known_frames(inputs, run.size.make, run.clips[number])
        elif not run.is_driven:
            call |= _stills(inputs, run.size.make)
        try:
            with shared_steps(pipe, run.ranks):
                made: _Clip = self.acceleration.run(pipe, reuse, partial(_make, pipe, call, ctx), loras)
        except Exception:
            clear_vae_cache(pipe)
            raise
        return made

    def _followed(self, film: Iterator[Image.Image], ctx: RunContext, *, as_given: bool) -> list[Image.Image]:
        """Return what the model follows of the driving film: the poses in its frames, or these themselves."""
        if as_given or self.drawers is None:
            return list(film)
        found = []
        for frame in film:
            found.append(self.drawers.draw("pose", frame))
            ctx.progress(0.0, "prepare")  # where a cancelled job ends
        if not any(poses.getbbox() for poses in found):
            ctx.warn(NOT_FOUND)
        return found

    def _ranks(self, pipe: Any, size: SizePlan, clips: tuple[int, ...], ctx: RunContext) -> int:
        """Return how many processes make this run: all of `ctx.ranks`, or one where they would not have equal parts."""
        able = ctx.ranks == 1 or all(divides(pipe, *size.make, frames, ctx.ranks) for frames in clips)
        return ctx.ranks if able else 1

    def warm_up(self, ctx: RunContext) -> None:
        """See `Pipeline`."""
        width, height = self.spec.defaults.width, self.spec.defaults.height
        with minimal_inputs(self.spec) as inputs:
            self.run(VideoParams(prompt=PROMPT, num_inference_steps=STEPS, width=width, height=height), inputs, ctx)

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


def _make(pipe: Any, call: dict[str, Any], ctx: RunContext) -> _Clip:
    with decode_retried(pipe, ctx.make_room):
        made = pipe(**call)
    return _Clip(made.video, made.sound) if isinstance(pipe, Cosmos3OmniPipeline) else _Clip(made.frames[0])


def _save_frame(frame: torch.Tensor, file: Path) -> Path:
    """Write a frame, 3 x height x width in 0 to 1, as PNG."""
    pixels = (frame.float().clamp(0, 1) * 255).round().to(torch.uint8)
    Image.fromarray(pixels.permute(1, 2, 0).cpu().numpy()).save(file, compress_level=1)
    return file


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


def fill_video(frames: NDArray[np.uint8], made: torch.Tensor, size: SizePlan, model_id: str) -> None:
    """Fill the planes `frames` of the requested size with n x 3 x height x width in 0 to 1, on the device of `made`.

    Raises `NotFinite` for NaN, which would silently be black.
    """
    for start in range(0, len(made), CHUNK):
        chunk = made[start : start + CHUNK].float()
        if not torch.isfinite(chunk).all():
            raise NotFinite(f"{model_id} computed values that are not finite; it made no video.")
        chunk = _sized(chunk, size)
        planes = torch.empty((len(chunk), *frames.shape[1:]), dtype=torch.uint8, device=chunk.device)
        fill_planes(planes, chunk)
        torch.from_numpy(frames[start : start + CHUNK]).copy_(planes)


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
