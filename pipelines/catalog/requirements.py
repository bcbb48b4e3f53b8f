"""What a model can make of a request, and what is said when it can not."""

from collections.abc import Iterator

import msgspec

from core.errors import InvalidRequest, MissingField, NotThisModel, OutOfRange
from core.languages import find_language, not_spoken
from jobs.params.image import ImageParams
from jobs.params.registry import AnyParams
from jobs.params.speech import SpeechParams
from jobs.params.video import VideoParams
from pipelines.catalog.loader import ModelSpec


class UnmetRequirement(msgspec.Struct, frozen=True):
    """Something that a model can not do of a request: the error, the field at fault, a sentence without its stop."""

    error: type[InvalidRequest]
    field: str
    sentence: str


def unmet_requirements(spec: ModelSpec, params: AnyParams) -> Iterator[UnmetRequirement]:
    """Everything that this model can not do of the request, the most telling first; nothing when it can do it all.

    A size that it does not make is no lack: the nearest one is made and resized.
    """
    if isinstance(params, ImageParams):
        yield from _image_unmet(spec, params)
    elif isinstance(params, VideoParams):
        yield from _video_unmet(spec, params)
    elif isinstance(params, SpeechParams):
        yield from _speech_unmet(spec, params)
    limit = spec.limits.max_prompt_chars
    if len(getattr(params, "prompt", "")) > limit:
        yield UnmetRequirement(OutOfRange, "$.prompt", f"`prompt` must have at most {limit} characters for {spec.id}")


def supports(spec: ModelSpec, params: AnyParams) -> bool:
    """Whether the model can do everything of the request."""
    return next(unmet_requirements(spec, params), None) is None


def counts_as_reference(spec: ModelSpec, params: ImageParams) -> bool:
    """Whether `input_image` is one more reference picture for this model; it comes first.

    So it is for models that edit (FLUX.2 klein, Qwen-Image-Edit): they have `references` and no `image-to-image`, and
    look at a whole picture instead of beginning with a noisy one, so that `strength` means nothing to them. Together
    with `reference_images` it is one of at most `limits.max_references` pictures.
    """
    edits = "references" in spec.capabilities and "image-to-image" not in spec.capabilities
    return edits and params.input_image is not None and params.strength is None


def _image_unmet(spec: ModelSpec, params: ImageParams) -> Iterator[UnmetRequirement]:
    able, counted = spec.capabilities, counts_as_reference(spec, params)
    if params.input_image is None and not params.reference_images and "text-to-image" not in able:
        yield UnmetRequirement(
            MissingField, "$.input_image", f"{spec.id} changes pictures and needs one: add `input_image`"
        )
    if params.input_image is not None and not counted and "image-to-image" not in able:
        if "references" in able:
            yield UnmetRequirement(NotThisModel, "$.strength", f"{spec.id} knows no `strength`: leave it out")
        else:
            advice = f"{spec.id} makes pictures from words only: leave `input_image` out"
            yield UnmetRequirement(NotThisModel, "$.input_image", advice)
    if params.reference_images and "references" not in able:
        advice = f"{spec.id} looks at no reference pictures: leave `reference_images` out"
        yield UnmetRequirement(NotThisModel, "$.reference_images", advice)
    elif len(params.reference_images) + counted > spec.limits.max_references:
        count = f"{spec.limits.max_references} entries" + (", `input_image` counted as one," if counted else "")
        yield UnmetRequirement(
            OutOfRange, "$.reference_images", f"`reference_images` must have at most {count} for {spec.id}"
        )


def _video_unmet(spec: ModelSpec, params: VideoParams) -> Iterator[UnmetRequirement]:
    able, limit = spec.capabilities, spec.limits.max_seconds
    if params.input_image is None and "text-to-video" not in able:
        yield UnmetRequirement(MissingField, "$.input_image", f"{spec.id} makes films from a still: add `input_image`")
    if params.input_image is not None and "image-to-video" not in able:
        yield UnmetRequirement(
            NotThisModel, "$.input_image", f"{spec.id} makes films from words only: leave `input_image` out"
        )
    if params.last_image is not None and "first-last-frame" not in able:
        yield UnmetRequirement(NotThisModel, "$.last_image", f"{spec.id} would not end at `last_image`: leave it out")
    if params.duration_seconds > limit:
        yield UnmetRequirement(
            OutOfRange, "$.duration_seconds", f"`duration_seconds` must be at most {limit:g} for {spec.id}"
        )


def _speech_unmet(spec: ModelSpec, params: SpeechParams) -> Iterator[UnmetRequirement]:
    if not speaks(spec, params.language_id):
        yield UnmetRequirement(NotThisModel, "$.language_id", not_spoken(spec.id, params.language_id, spec.languages))
    if params.target_voice_path is not None and "reference-voice" not in spec.capabilities:
        advice = f"{spec.id} speaks like no recording: leave `target_voice_path` out"
        yield UnmetRequirement(NotThisModel, "$.target_voice_path", advice)


def speaks(spec: ModelSpec, language_id: str) -> bool:
    """Whether the model speaks a language, or one that it is a variety of, as far as its entry says."""
    return not spec.languages or find_language(language_id, spec.languages) is not None
