"""Sampling settings of a request: its own fields, then the preset of `quality`, then the model's defaults. No torch.

What all three omit is the pipeline's own choice.
"""

from collections.abc import Iterator

import msgspec

from jobs.params.image import ImageParams
from jobs.params.video import VideoParams
from pipelines.catalog.spec import ModelSpec, Preset, StepCache

OPTIONAL = ("negative_prompt", "num_inference_steps", "guidance_scale")
"""Fields that a caller may set and a model may not use."""


Adapters = tuple[tuple[str, float], ...]
"""LoRAs that are on together: keys of `spec.loras`, each with its weight."""


class SamplingSettings(msgspec.Struct, frozen=True):
    """Settings of one run.

    `steps` and `guidance` (scale); `loras` are the preset's and the request's; `reuse` is how steps are reused.
    """

    steps: int | None
    guidance: float | None
    loras: Adapters
    reuse: StepCache | None = None


def choose(spec: ModelSpec, params: ImageParams | VideoParams) -> SamplingSettings:
    """Return the settings of this request."""
    preset = spec.quality.get(params.quality, Preset())
    guidance = (params.guidance_scale, preset.guidance_scale, spec.defaults.guidance_scale)
    chosen = spec.steps_of(params)
    return SamplingSettings(
        steps=chosen,
        guidance=next((value for value in guidance if value is not None), None),
        loras=_adapters(preset, params),
        reuse=preset.reuse(chosen),
    )


def _adapters(preset: Preset, params: ImageParams | VideoParams) -> Adapters:
    """Return the preset's LoRA at its own strength, and those of the request; of one that both name, the request's."""
    own = {} if preset.lora is None else {preset.lora: 1.0}
    return tuple((own | {one.lora: one.weight for one in getattr(params, "loras", ())}).items())


def ignored_field_warnings(spec: ModelSpec, params: ImageParams | VideoParams, usable: frozenset[str]) -> Iterator[str]:
    """Yield a warning for each ignored field.

    These are the fields of `OPTIONAL` that the caller has set and that are not in `usable`, a number of steps that a
    schedule does not have, and a `quality` that the model has no preset for.
    """
    for name in OPTIONAL:
        if getattr(params, name) not in (None, "") and name not in usable:
            yield f"{spec.id} does not use `{name}`; it was ignored"
    schedule, asked = spec.schedule_of(params), params.num_inference_steps
    if schedule is not None and asked not in (None, len(schedule.sigmas)):
        yield f"{spec.id} makes {len(schedule.sigmas)} steps here; `num_inference_steps` was ignored"
    if params.quality != "standard" and params.quality not in spec.quality:
        yield f"{spec.id} has no preset {params.quality!r}; its standard one was used"


def unsupported_field_warnings(negative_prompt: str | None, guidance: float | None) -> Iterator[str]:
    """Yield a warning for a negative prompt at a guidance scale that turns guidance off."""
    if negative_prompt and guidance is not None and guidance <= 1:
        yield f"`negative_prompt` has no effect at a `guidance_scale` of {guidance:g}; it needs more than 1"
