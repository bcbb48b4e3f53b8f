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


class SamplingSettings(msgspec.Struct, frozen=True):
    """Settings of one run.

    `steps` and `guidance` (scale); `lora` is a key of `spec.loras`; `reuse` is how steps are reused.
    """

    steps: int | None
    guidance: float | None
    lora: str | None
    reuse: StepCache | None = None


def choose(spec: ModelSpec, params: ImageParams | VideoParams) -> SamplingSettings:
    """Return the settings of this request."""
    preset = spec.quality.get(params.quality, Preset())
    guidance = (params.guidance_scale, preset.guidance_scale, spec.defaults.guidance_scale)
    chosen = spec.steps_of(params)
    return SamplingSettings(
        steps=chosen,
        guidance=next((value for value in guidance if value is not None), None),
        lora=preset.lora,
        reuse=preset.reuse(chosen),
    )


def ignored_field_warnings(spec: ModelSpec, params: ImageParams | VideoParams, usable: frozenset[str]) -> Iterator[str]:
    """Yield a warning for each ignored field.

    These are the fields of `OPTIONAL` that the caller has set and that are not in `usable`, and a `quality` that the
    model has no preset for.
    """
    for name in OPTIONAL:
        if getattr(params, name) not in (None, "") and name not in usable:
            yield f"{spec.id} does not use `{name}`; it was ignored"
    if params.quality != "standard" and params.quality not in spec.quality:
        yield f"{spec.id} has no preset {params.quality!r}; its standard one was used"


def unsupported_field_warnings(negative_prompt: str | None, guidance: float | None) -> Iterator[str]:
    """Yield a warning for a negative prompt at a guidance scale that turns guidance off."""
    if negative_prompt and guidance is not None and guidance <= 1:
        yield f"`negative_prompt` has no effect at a `guidance_scale` of {guidance:g}; it needs more than 1"
