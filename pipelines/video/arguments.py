"""From `VideoParams` to the arguments of a pipeline's `__call__`. No torch."""

from collections.abc import Iterator
from typing import Any

from jobs.params import VideoParams
from pipelines.image.size import SizePlan
from pipelines.spec import ModelSpec, Preset
from pipelines.video.frames import FramePlan

OPTIONAL = ("negative_prompt", "num_inference_steps", "guidance_scale")
"""What a caller may ask for and a model may have no use for."""


def call_arguments(
    spec: ModelSpec, params: VideoParams, size: SizePlan, film: FramePlan, accepts: frozenset[str]
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The arguments, only such as are in `accepts`, and what to tell the caller.

    The caller comes first, then the preset of `quality`, then the model's defaults; what they all leave out is the
    pipeline's own choice.
    """
    preset = spec.quality.get(params.quality, Preset())
    chosen = {
        "num_inference_steps": (preset.num_inference_steps, spec.defaults.num_inference_steps),
        "guidance_scale": (preset.guidance_scale, spec.defaults.guidance_scale),
    }
    wanted: dict[str, Any] = {name: next((v for v in values if v is not None), None) for name, values in chosen.items()}
    wanted |= {name: getattr(params, name) for name in asked_for(params)}
    wanted |= {
        "prompt": params.prompt,
        "width": size.make[0],
        "height": size.make[1],
        "num_frames": film.frames,
        "frame_rate": film.fps,
    }
    usable = accepts if "negative-prompt" in spec.capabilities else accepts - {"negative_prompt"}
    arguments = {name: value for name, value in wanted.items() if value is not None and name in usable}
    warnings = [warning for warning in (size.warning, film.warning) if warning]
    return arguments, (*warnings, *ignored(spec, params, usable), *_powerless(arguments))


def asked_for(params: VideoParams) -> list[str]:
    """Which of `OPTIONAL` the caller has set."""
    return [name for name in OPTIONAL if getattr(params, name) not in (None, "")]


def ignored(spec: ModelSpec, params: VideoParams, usable: frozenset[str]) -> Iterator[str]:
    """A warning for each thing asked for that is not in `usable`, and for a preset that the model does not have."""
    for name in asked_for(params):
        if name not in usable:
            yield f"{spec.id} does not use {name}; it was ignored"
    if params.quality != "standard" and params.quality not in spec.quality:
        yield f"{spec.id} has no preset {params.quality!r}; its standard one was used"


def _powerless(arguments: dict[str, Any]) -> Iterator[str]:
    guidance = arguments.get("guidance_scale")
    if "negative_prompt" in arguments and guidance is not None and guidance <= 1:
        yield f"negative_prompt does nothing at a guidance_scale of {guidance:g}; it takes more than 1"
