"""From `ImageParams` to the arguments of a pipeline's `__call__`. No torch."""

from typing import Any

import msgspec
from PIL import Image, ImageOps

from jobs.params.image import ImageParams
from pipelines.catalog.spec import ModelSpec
from pipelines.diffusion.sampling_settings import choose, ignored_field_warnings, unsupported_field_warnings
from pipelines.image.inputs import ImageInputs
from pipelines.image.size import Size, SizePlan

STRENGTH = 0.6
"""How much of a picture may change when neither the caller nor the model's defaults say so."""


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """How a pipeline is called: the arguments that it takes, and what it calls some of them.

    `guidance`: its name for classifier-free guidance. `no_negative_prompt`: what to pass for none, where guidance
    only happens with one.
    """

    accepts: frozenset[str]
    guidance: str = "guidance_scale"
    no_negative_prompt: str | None = None


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """The arguments of every call for one job, the LoRA to put on (a name of `spec.loras`), the threshold at which
    steps are reused, and what to tell the caller.
    """

    arguments: dict[str, Any]
    lora: str | None
    reuse: float | None = None
    warnings: tuple[str, ...]


def plan_call(spec: ModelSpec, params: ImageParams, size: SizePlan, call: Call, images: ImageInputs) -> Plan:
    """The arguments, only such as the pipeline takes, and a warning for each thing asked for that is left out.

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
    guides = {"guidance_scale"} if call.guidance in usable else set()
    return Plan(
        arguments=arguments,
        lora=choices.lora,
        reuse=choices.reuse,
        warnings=(
            *([size.warning] if size.warning else ()),
            *ignored_field_warnings(spec, params, usable - {"guidance_scale"} | guides),
            *unsupported_field_warnings(arguments.get("negative_prompt"), guidance),
            *_about_strength(params, images, steps),
        ),
    )


def _image_arguments(
    spec: ModelSpec, params: ImageParams, make: Size, images: ImageInputs, steps: int | None
) -> dict[str, Any]:
    if images.start is not None:
        return {"image": cover(images.start, make), "strength": _strength(spec, params, steps)}
    return {"image": list(images.references)} if images.references else {}


def cover(image: Image.Image, size: Size) -> Image.Image:
    """The picture scaled until it covers `size`, the rest cut off evenly on both sides."""
    return ImageOps.fit(image, size, Image.Resampling.LANCZOS)


def _strength(spec: ModelSpec, params: ImageParams, steps: int | None) -> float:
    """As asked, but at least one step's worth: pipelines take `int(steps * strength)` steps and refuse none."""
    strength = params.strength or spec.defaults.strength or STRENGTH
    return strength if steps is None else max(strength, min(1.0, 1.001 / steps))


def _about_strength(params: ImageParams, images: ImageInputs, steps: int | None) -> list[str]:
    if params.strength is None:
        return []
    if images.start is None:
        return ["strength belongs to a picture to start from; it was ignored"]
    if steps is not None and steps * params.strength < 1:
        return [f"strength {params.strength:g} of {steps} steps is less than one step; one was made"]
    return []
