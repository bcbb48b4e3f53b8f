"""Arguments of a pipeline's `__call__`, from `ImageParams`. No torch."""

from typing import Any

import msgspec
from PIL import Image, ImageOps

from jobs.params.image import ControlKind, ImageParams
from pipelines.catalog.sizes import Size
from pipelines.catalog.spec import ModelSpec, StepCache
from pipelines.diffusion.prompt_scope import scope_warnings
from pipelines.diffusion.sampling_settings import Adapters, choose, ignored_field_warnings, unsupported_field_warnings
from pipelines.image.inputs import ImageInputs
from pipelines.image.size import SizePlan

STRENGTH = 0.6
"""How much of an image may change when neither the caller nor the model's defaults say so."""
REPAINT = 1.0
"""How much may change under a mask when the caller does not say so."""


CONTROL_MODES: dict[ControlKind, int] = {"pose": 0, "depth": 1, "canny": 3}
"""The numbers of the kinds in xinsir's union for Stable Diffusion XL; Z-Image's sees the kind by itself."""


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """How a pipeline is called: the arguments that it takes, and its names for some of them.

    `guidance` is its name for classifier-free guidance. `no_negative_prompt` is the value for none, where guidance only
    happens with a negative prompt. Beyond `most_pixels` it makes a smaller image than it was asked for.
    """

    accepts: frozenset[str]
    guidance: str = "guidance_scale"
    no_negative_prompt: str | None = None
    most_pixels: int | None = None


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """The plan of one job.

    `arguments` are those of every call, `loras` are on, `reuse` is how steps are reused, and `warnings` are for the
    caller.
    """

    arguments: dict[str, Any]
    loras: Adapters
    reuse: StepCache | None = None
    warnings: tuple[str, ...]


def plan_call(spec: ModelSpec, params: ImageParams, size: SizePlan, call: Call, images: ImageInputs) -> Plan:
    """Return the arguments that the pipeline takes, and a warning for each field that is ignored.

    A negative prompt is passed on only where the catalog says that the model uses one: distilled models take it and
    ignore it.
    """
    choices = choose(spec, params)
    steps, guidance = choices.steps, choices.guidance
    usable = call.accepts if "negative-prompt" in spec.capabilities else call.accepts - {"negative_prompt"}
    values = {
        "prompt": params.prompt,
        "negative_prompt": params.negative_prompt if "negative_prompt" in usable else None,
        "num_inference_steps": steps,
        call.guidance: guidance,
        "width": size.make[0],
        "height": size.make[1],
        **_image_arguments(spec, params, size.make, images, steps),
    }
    if not values["negative_prompt"]:
        values["negative_prompt"] = call.no_negative_prompt if guidance is None or guidance > 1 else None
    arguments = {name: value for name, value in values.items() if value is not None and name in call.accepts}
    reuse, strength = choices.reuse, arguments.get("strength")
    guides = {"guidance_scale"} if call.guidance in usable else set()
    return Plan(
        arguments=arguments,
        loras=choices.loras,
        reuse=reuse if reuse is None or strength is None else reuse.of_last(strength),
        warnings=(
            *scope_warnings(spec, params.prompt),
            *([size.warning] if size.warning else ()),
            *ignored_field_warnings(spec, params, usable - {"guidance_scale"} | guides),
            *unsupported_field_warnings(arguments.get("negative_prompt"), guidance),
            *_about_strength(params, images, steps),
        ),
    )


def _image_arguments(
    spec: ModelSpec, params: ImageParams, make: Size, images: ImageInputs, steps: int | None
) -> dict[str, Any]:
    if images.control is not None and spec.controlnet is not None:
        asked = params.control_scale
        return {
            "control_image": images.control,
            "control_mode": CONTROL_MODES[params.control_kind],
            "controlnet_conditioning_scale": spec.controlnet.scale if asked is None else asked,
        }
    if images.start is not None and images.mask is not None:
        mask = ImageOps.fit(images.mask, make, Image.Resampling.NEAREST)
        strength = _strength(params.strength or REPAINT, steps)
        painted = {"image": cover(images.start, make), "mask_image": mask, "strength": strength}
        return painted | ({"image_reference": list(images.references)} if images.references else {})
    if images.start is not None:
        strength = _strength(params.strength or spec.defaults.strength or STRENGTH, steps)
        return {"image": cover(images.start, make), "strength": strength}
    return {"image": list(images.references)} if images.references else {}


def cover(image: Image.Image, size: Size) -> Image.Image:
    """Return the image scaled until it covers `size`, with the rest cropped evenly on both sides."""
    return ImageOps.fit(image, size, Image.Resampling.LANCZOS)


def _strength(strength: float, steps: int | None) -> float:
    """Return the strength, at least one step's worth: pipelines make `int(steps * strength)` steps and refuse none."""
    return strength if steps is None else max(strength, min(1.0, 1.001 / steps))


def _about_strength(params: ImageParams, images: ImageInputs, steps: int | None) -> list[str]:
    if params.strength is None:
        return []
    if images.start is None:
        return ["`strength` needs an image to start from; it was ignored"]
    if steps is not None and steps * params.strength < 1:
        return [f"`strength` {params.strength:g} of {steps} steps is less than one step; one was made"]
    return []
