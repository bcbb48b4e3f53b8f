"""Arguments of a pipeline's `__call__`, from `VideoParams`. No torch."""

from typing import Any

from jobs.params.video import VideoParams
from pipelines.catalog.spec import ModelSpec
from pipelines.diffusion.sampling_settings import choose, ignored_field_warnings, unsupported_field_warnings
from pipelines.image.size import SizePlan
from pipelines.video.frames import FramePlan


def call_arguments(
    spec: ModelSpec, params: VideoParams, size: SizePlan, frame_plan: FramePlan, accepts: frozenset[str]
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Return the arguments that are in `accepts`, and the warnings for the caller."""
    choices = choose(spec, params)
    usable = accepts if "negative-prompt" in spec.capabilities else accepts - {"negative_prompt"}
    values: dict[str, Any] = {
        "prompt": params.prompt,
        "negative_prompt": params.negative_prompt or None,
        "num_inference_steps": choices.steps,
        "guidance_scale": choices.guidance,
        "width": size.make[0],
        "height": size.make[1],
        "num_frames": frame_plan.frames,
        "frame_rate": frame_plan.fps,
        "fps": frame_plan.fps,
        "enable_sound": params.sound or None,
    }
    arguments = {name: value for name, value in values.items() if value is not None and name in usable}
    return arguments, (
        *([size.warning] if size.warning else []),
        *frame_plan.warnings,
        *ignored_field_warnings(spec, params, usable),
        *unsupported_field_warnings(arguments.get("negative_prompt"), choices.guidance),
    )
