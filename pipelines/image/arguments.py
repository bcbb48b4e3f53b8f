"""From `ImageParams` to the arguments of a pipeline's `__call__`. No torch."""

from typing import Any

from jobs.params import ImageParams
from pipelines.image.size import SizePlan
from pipelines.spec import ModelSpec

OPTIONAL = ("negative_prompt", "num_inference_steps", "guidance_scale")
"""What a caller may ask for and a pipeline may lack."""


def call_arguments(
    spec: ModelSpec, params: ImageParams, size: SizePlan, accepts: frozenset[str]
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The arguments, only such as are in `accepts`, and a warning for each thing asked for that is left out.

    What the caller leaves out comes from the model's defaults, and what those leave out from the pipeline's own.
    A negative prompt is passed on only where the catalogue says that the model uses one: distilled models take it
    and ignore it.
    """
    asked = {name: getattr(params, name) for name in OPTIONAL if getattr(params, name) not in (None, "")}
    usable = accepts if "negative-prompt" in spec.capabilities else accepts - {"negative_prompt"}
    wanted = {
        "num_inference_steps": spec.defaults.num_inference_steps,
        "guidance_scale": spec.defaults.guidance_scale,
        **asked,
        "prompt": params.prompt,
        "width": size.make[0],
        "height": size.make[1],
    }
    warnings = [size.warning] if size.warning else []
    warnings += [f"{spec.id} does not use {name}; it was ignored" for name in asked if name not in usable]
    arguments = {name: value for name, value in wanted.items() if value is not None and name in usable}
    return arguments, tuple(warnings)
