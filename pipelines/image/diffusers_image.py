"""The family `diffusers-image`: any image pipeline of diffusers, by its `model_index.json`."""

from collections.abc import Sequence
from functools import partial
from inspect import signature
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch
from diffusers import AutoPipelineForImage2Image, AutoPipelineForInpainting, Flux2KleinInpaintPipeline
from numpy.typing import NDArray
from PIL import Image

from core.errors.failures import ModelLoadFailed, NotFinite
from jobs.params.image import ImageParams
from pipelines.catalog.sizes import Size
from pipelines.catalog.spec import ModelSpec
from pipelines.diffusion.acceleration import Acceleration, precision
from pipelines.diffusion.checkpoint import load_diffusers, loader_for, resident_modules
from pipelines.diffusion.decode_retry import decode_retried
from pipelines.diffusion.prompt_cache import PromptCache
from pipelines.diffusion.warmup import PROMPT, STEPS, minimal_inputs
from pipelines.image.arguments import Call, Plan, cover, plan_call
from pipelines.image.batching import images_at_once
from pipelines.image.controlnet import load_controlnet
from pipelines.image.inputs import ImageInputs, gather_images
from pipelines.image.lora import load_loras, scheduled, schedulers, use_loras
from pipelines.image.lora_files import loaded_files, name_files
from pipelines.image.outpaint import size_within
from pipelines.image.pixels import fill_pixels
from pipelines.image.progress import StepProgress
from pipelines.image.size import SizePlan, plan_size
from pipelines.latents.step_drawing import drawing_for
from pipelines.memory.vae_tiling import in_tiles
from pipelines.memory.weight_loader import WeightLoader
from pipelines.preprocessors.drawers import Drawers
from pipelines.runtime.protocol import Inputs, RawOutput, RunContext

MIN_MULTIPLE = 8
"""Many pipelines refuse sides that are not multiples of 8, whatever their VAE says."""

_TRUE_CFG = {"guidance": "true_cfg_scale", "no_negative_prompt": " "}
CALLS: dict[str, dict[str, Any]] = {
    "Flux2KleinInpaintPipeline": {"most_pixels": 1024**2},
    "QwenImagePipeline": _TRUE_CFG,
    "QwenImageImg2ImgPipeline": _TRUE_CFG,
    "QwenImageInpaintPipeline": _TRUE_CFG,
    "QwenImageEditPlusPipeline": _TRUE_CFG,
}
"""Pipelines with other argument names than most: their values for `Call`. Qwen-Image's authors pass one space for no
negative prompt."""
SHARED = {
    "Flux2KleinPipeline",
    "FluxPipeline",
    "QwenImagePipeline",
    "StableDiffusionXLPipeline",
    "ZImagePipeline",
}
"""Pipelines that make the image of each of several prompts as if it were alone, however long the others are: they pad
prompts to a fixed length, or mask what was padded. Tests show it of each."""
PAINTERS: dict[str, Any] = {"Flux2KleinPipeline": Flux2KleinInpaintPipeline}
"""Pipelines that repaint, which `AutoPipelineForInpainting` does not know, by the one with the same parts."""


class DiffusersImage:
    """Images from text, and from images where the catalog says so.

    The pixels equal those of the same diffusers pipeline called directly.
    """

    def __init__(self, spec: ModelSpec, weights: Path, device: str, loader: WeightLoader | None = None) -> None:
        self.spec = spec
        loader = loader_for(spec, device, loader)
        self.pipe = load_diffusers(weights, precision(spec, device), loader, spec)
        self.call = _call(self.pipe)
        if "references" in spec.capabilities and "image" not in self.call.accepts:
            raise ModelLoadFailed(f"{type(self.pipe).__name__} takes no references.")
        load_loras(self.pipe, spec, weights)
        self.schedulers = schedulers(self.pipe, spec)
        pipes = [self.pipe]
        if "image-to-image" in spec.capabilities:
            self.image_to_image = _sibling(self.pipe, AutoPipelineForImage2Image, "strength")
            self.image_to_image_call = _call(self.image_to_image)
            pipes.append(self.image_to_image)
        if "mask" in spec.capabilities:
            self.inpaint = _sibling(self.pipe, AutoPipelineForInpainting, "mask_image")
            self.inpaint_call = _call(self.inpaint)
            pipes.append(self.inpaint)
        of_controlnet: list[torch.nn.Module] = []
        if spec.controlnet is not None:
            controlled = load_controlnet(self.pipe, spec, weights, precision(spec, device), loader)
            self.controlled, of_controlnet = controlled.pipe, controlled.modules
            self.controlled_call = _call(self.controlled)
            pipes.append(self.controlled)
            self.drawers = Drawers(spec, weights, loader)
            of_controlnet += self.drawers.modules
        if max(spec.batch.images, spec.batch.jobs) > 1:
            for pipe in pipes:
                _check_batch(_call(pipe), pipe)
        if spec.batch.jobs > 1 and type(self.pipe).__name__ not in SHARED:
            raise ModelLoadFailed(f"{type(self.pipe).__name__} computes one job at once; remove `batch.jobs`.")
        self.acceleration = Acceleration(pipes, spec, device)
        self.prompts = PromptCache()
        for pipe in pipes:
            self.prompts.attach(pipe)
        self.multiple = spec.limits.side_multiple or _multiple(self.pipe)
        of_model = resident_modules(self.pipe, device, are_blocks_offloaded=spec.offload_blocks)
        self._resident = [*of_model, *of_controlnet]

    @property
    def modules(self) -> list[torch.nn.Module]:
        """See `Pipeline`."""
        return self._resident

    @property
    def warnings(self) -> tuple[str, ...]:
        """See `pipelines.runtime.protocol.Pipeline`."""
        return self.acceleration.warnings

    @property
    def graph_bytes(self) -> int:
        """See `pipelines.runtime.protocol.Pipeline`."""
        return self.acceleration.graph_bytes

    def free_graphs(self) -> None:
        """See `pipelines.runtime.protocol.Pipeline`."""
        self.acceleration.free_graphs()

    def run(self, params: ImageParams, inputs: Inputs, ctx: RunContext) -> RawOutput:
        """Make `num_images` images, as many at once as `images_at_once` and `ctx.batch` allow.

        Image n has the seed `ctx.seed + n`, and is the one that would be made alone.

        Reports after every step. Raises what `check_media`, `name_files` and `loaded_files` raise.
        """
        named = name_files(self.spec, params, inputs)
        with loaded_files(self.pipe, self.spec, named.files):
            return self._run(named.params, inputs, ctx)

    def _run(self, params: ImageParams, inputs: Inputs, ctx: RunContext) -> RawOutput:
        images = gather_images(self.spec, inputs, params.padding)
        pipe, call = self._pipe_for(images)
        asked_size = (params.width, params.height)
        if params.padding is not None and images.start is not None:
            asked_size = size_within(images.start.size, asked_size)
        size = plan_size(self.spec, asked_size, self.multiple, call.most_pixels)
        images = self._with_control_picture(images, params, size.make, ctx)
        plan = plan_call(self.spec, params, size, call, images)
        for warning in plan.warnings:
            ctx.warn(warning)
        prompt = plan.arguments["prompt"]
        asked = [_Image(prompt, ctx.seed + number, str(number), ctx) for number in range(params.num_images)]
        most = 1 if images.mask or images.control else min(images_at_once(self.spec, params), ctx.batch)
        made = self._make_images(pipe, call, plan, size, asked, most)
        return self._output(made, plan, call, ctx.seed, size, most)

    def _with_control_picture(
        self, images: ImageInputs, params: ImageParams, make: Size, ctx: RunContext
    ) -> ImageInputs:
        """Return the images with what the model follows of `control`, in the size of the image."""
        if images.control is None:
            return images
        picture = cover(images.control, make)
        if not params.control_as_given:
            picture = self.drawers.draw(params.control_kind, picture)
            if picture.getbbox() is None:
                ctx.warn(f"nothing to follow was found in `control_image` by {params.control_kind!r}")
        return msgspec.structs.replace(images, control=picture)

    def _pipe_for(self, images: ImageInputs) -> tuple[Any, Call]:
        """Return the pipeline that makes something of these images, and how it is called."""
        if images.control is not None:
            return self.controlled, self.controlled_call
        if images.mask is not None:
            return self.inpaint, self.inpaint_call
        if images.start is not None:
            return self.image_to_image, self.image_to_image_call
        return self.pipe, self.call

    def run_shared(self, jobs: Sequence[tuple[ImageParams, RunContext]]) -> list[RawOutput]:
        """Make the one image of each job, as many at once as there is memory for; see `Pipeline`."""
        (first, ctx), *_ = jobs
        size = plan_size(self.spec, (first.width, first.height), self.multiple)
        plans = [plan_call(self.spec, params, size, self.call, ImageInputs()) for params, _ in jobs]
        asked = []
        for plan, (_, own) in zip(plans, jobs, strict=True):
            for warning in plan.warnings:
                own.warn(warning)
            asked.append(_Image(plan.arguments["prompt"], own.seed, "0", own))
        most = min(len(jobs), ctx.batch)
        made = self._make_images(self.pipe, self.call, plans[0], size, asked, most)
        return [
            self._output([pixels], plan, self.call, own.seed, size, most)
            for pixels, plan, (_, own) in zip(made, plans, jobs, strict=True)
        ]

    def _make_images(
        self, pipe: Any, call: Call, plan: Plan, size: SizePlan, images: Sequence["_Image"], most: int
    ) -> list[NDArray[np.uint8]]:
        """Make the images, which differ in prompt and seed alone, up to `most` at once."""
        use_loras(self.pipe, self.spec, plan.loras)
        self.prompts.loras = plan.loras
        pipe.scheduler = self.schedulers[scheduled(self.spec, plan.loras)]
        pixels: list[NDArray[np.uint8]] = []
        for first in range(0, len(images), most):
            part = images[first : first + most]
            compiles = self.acceleration.compiles(pipe, plan.reuse, plan.loras, len(part))
            progress = StepProgress(images[0].ctx, first, len(images), compiles, len(part))
            drawing = drawing_for(pipe, size.make, _contexts(part))
            if drawing is not None:
                progress = msgspec.structs.replace(progress, on_latents=drawing.on_latents)
            progress.begin()
            make = partial(_make, pipe, call, plan, part, progress)
            with in_tiles(pipe.vae, are_tiles_used=max(size.make) > self.spec.limits.tiled_above):
                made = self.acceleration.run(pipe, plan.reuse, make, plan.loras, len(part))
            pixels += [self._pixels(values, size, image) for image, values in zip(part, made, strict=True)]
        return pixels

    def _output(
        self, made: Sequence[NDArray[np.uint8]], plan: Plan, call: Call, seed: int, size: SizePlan, most: int
    ) -> RawOutput:
        """Return the images of one job; up to `most` images were made at once."""
        return RawOutput(
            arrays={str(number): pixels for number, pixels in enumerate(made)},
            warnings=plan.warnings,
            metadata={
                "seed": seed,
                "num_inference_steps": plan.arguments.get("num_inference_steps"),
                "guidance_scale": plan.arguments.get(call.guidance),
                "strength": plan.arguments.get("strength"),
                "cache": None if plan.reuse is None else plan.reuse.kind,
                "batch_size": most,
                "precision": self.acceleration.precision,
                "made_width": size.make[0],
                "made_height": size.make[1],
            },
        )

    def _pixels(self, values: torch.Tensor, size: SizePlan, image: "_Image") -> NDArray[np.uint8]:
        """Return the image that the pipeline made. Raises `NotFinite`."""
        width, height = size.asked
        pixels = image.ctx.empty(image.name, (height, width, 3))
        if not fill_pixels(pixels, values, size):
            raise NotFinite(f"{self.spec.id} computed values that are not finite; it made no image.")
        return pixels

    def warm_up(self, ctx: RunContext) -> None:
        """See `Pipeline`."""
        width, height = self.spec.defaults.width, self.spec.defaults.height
        with minimal_inputs(self.spec) as inputs:
            self.run(ImageParams(prompt=PROMPT, num_inference_steps=STEPS, width=width, height=height), inputs, ctx)


class _Image(msgspec.Struct, frozen=True):
    """One image of a run: what it differs in from the others, and whose it is.

    `name` is that of its array in the output of the job that `ctx` belongs to.
    """

    prompt: str
    seed: int
    name: str
    ctx: RunContext


def _contexts(images: Sequence[_Image]) -> list[RunContext]:
    """Return the contexts of the jobs of images that are made at once, of each job that of its first image."""
    return [image.ctx for image in images if image.ctx is not images[0].ctx or image is images[0]]


def _make(pipe: Any, call: Call, plan: Plan, images: Sequence[_Image], progress: StepProgress) -> torch.Tensor:
    """Call the pipeline once; return n x 3 x height x width in 0 to 1, one for each image, where it was computed."""
    generators = [torch.Generator("cpu").manual_seed(image.seed) for image in images]
    prompts = [image.prompt for image in images]
    extras = {"callback_on_step_end": progress.on_step_end, "output_type": "pt", "prompt": prompts[0]}
    if len(images) == 1:
        extras["generator"] = generators[0]
    elif len(set(prompts)) == 1:
        extras |= {"generator": generators, "num_images_per_prompt": len(images)}
        start = plan.arguments.get("image")
        if isinstance(start, Image.Image):  # each has noise of its own added to it
            extras["image"] = [start] * len(images)
    else:
        extras |= {"generator": generators, "prompt": prompts}
        if "negative_prompt" in plan.arguments:
            extras["negative_prompt"] = [plan.arguments["negative_prompt"]] * len(images)
    arguments = plan.arguments | {name: value for name, value in extras.items() if name in call.accepts}
    with decode_retried(pipe, progress.ctx.make_room):
        made: torch.Tensor = pipe(**arguments).images
    return made


def _check_batch(call: Call, pipe: Any) -> None:
    """Have the autoencoder decode one image at a time, each as if alone. Raises `ModelLoadFailed` where it cannot."""
    if not {"generator", "num_images_per_prompt"} <= call.accepts or not hasattr(pipe.vae, "enable_slicing"):
        raise ModelLoadFailed(f"{type(pipe).__name__} makes one image at once; remove `batch`.")
    pipe.vae.enable_slicing()


def _call(pipe: Any) -> Call:
    """Return how this pipeline is called. Raises `ModelLoadFailed` for one that takes no prompt."""
    accepts = frozenset(signature(pipe.__call__).parameters)
    if "prompt" not in accepts:
        raise ModelLoadFailed(f"{type(pipe).__name__} takes no prompt.")
    call = Call(accepts=accepts, **CALLS.get(type(pipe).__name__, {}))
    # Guidance was distilled into the weights: such pipelines take a scale and ignore it.
    return msgspec.structs.replace(call, accepts=accepts - {call.guidance}) if pipe.config.get("is_distilled") else call


def _sibling(pipe: Any, kind: Any, needs: str) -> Any:
    """Return the pipeline of this kind that is made of the same components: no weight is in memory twice.

    Raises `ModelLoadFailed` where diffusers has none whose call `needs` this argument: an editing pipeline, which takes
    an image and no strength, does not start from an image.
    """
    painter = PAINTERS.get(type(pipe).__name__) if kind is AutoPipelineForInpainting else None
    try:
        if painter is None:
            sibling = kind.from_pipe(pipe)
        else:
            sibling = painter(**pipe.components, is_distilled=pipe.config.is_distilled)
    except ValueError:
        sibling = None
    if sibling is None or needs not in signature(sibling.__call__).parameters:
        what = "repaint under a mask" if needs == "mask_image" else "start from an image"
        raise ModelLoadFailed(f"{type(pipe).__name__} cannot {what}.")
    sibling.set_progress_bar_config(disable=True)
    return sibling


def _multiple(pipe: Any) -> int:
    """Return the number that sides must be multiples of.

    diffusers keeps it (VAE factor and patch size) in the image processor.
    """
    config = getattr(getattr(pipe, "image_processor", None), "config", {})
    return max(MIN_MULTIPLE, int(config.get("vae_scale_factor", 16)))
