"""What a model requires of a request, and the errors for what it does not support.

The API checks everything at submit. A family checks the media again, since the catalog of its worker may differ. The
other fields do not fail in a family: it makes the nearest result and warns.
"""

from collections.abc import Collection, Iterator

import msgspec

from core.errors.fields import InvalidRequest, MissingField, NotThisModel, OutOfRange
from core.languages import find_language, not_spoken
from jobs.params.image import ImageParams
from jobs.params.media import media_of
from jobs.params.registry import AnyParams
from jobs.params.speech import SpeechParams
from jobs.params.video import VideoParams
from pipelines.catalog.spec import ModelSpec

ENCODERS_OWN = ("logo_url", "subject_image")
"""Inputs that the encoder gets, and no model."""


class UnmetRequirement(msgspec.Struct, frozen=True):
    """A part of a request that a model does not support: the error, the field, and a sentence without its full stop."""

    error: type[InvalidRequest]
    field: str
    sentence: str


def unmet_requirements(spec: ModelSpec, params: AnyParams) -> Iterator[UnmetRequirement]:
    """Yield every requirement of the model that the request does not meet, the most specific first.

    A size that the model does not make is not among them: the nearest one is made and resized.
    """
    media = [medium.name for medium in media_of(params)]
    if isinstance(params, ImageParams) and params.strength is not None and _is_reference(spec, media):
        yield _unsupported(spec, "strength")
    if isinstance(params, SpeechParams) and not speaks(spec, params.language_id):
        yield UnmetRequirement(NotThisModel, "$.language_id", not_spoken(spec.id, params.language_id, spec.languages))
    yield from unmet_media(spec, media)
    longest = spec.limits.max_seconds
    if isinstance(params, VideoParams) and params.duration_seconds > longest:
        sentence = f"`duration_seconds` must be at most {longest:g} for {spec.id}"
        yield UnmetRequirement(OutOfRange, "$.duration_seconds", sentence)
    limit = spec.limits.max_prompt_chars
    if len(getattr(params, "prompt", "")) > limit:
        yield UnmetRequirement(OutOfRange, "$.prompt", f"`prompt` must have at most {limit} characters for {spec.id}")


def supports(spec: ModelSpec, params: AnyParams) -> bool:
    """Return whether the model supports everything in the request."""
    return next(unmet_requirements(spec, params), None) is None


def unmet_media(spec: ModelSpec, media: Collection[str]) -> Iterator[UnmetRequirement]:
    """Yield the requirements that the media of a request, by the names of `media_of`, do not meet.

    A logo and a subject are no model's business: the encoder puts them on the image.
    """
    media = [name for name in media if name not in ENCODERS_OWN]
    if spec.modality == "image":
        yield from _unmet_images(spec, media)
    elif spec.modality == "video":
        yield from _unmet_frames(spec, media)
    elif "target_voice_path" in media and "reference-voice" not in spec.capabilities:
        sentence = f"Voice cloning is not supported by {spec.id}; remove `target_voice_path`"
        yield UnmetRequirement(NotThisModel, "$.target_voice_path", sentence)


def check_media(spec: ModelSpec, media: Collection[str]) -> None:
    """Raise the error of the first requirement that the media do not meet.

    A missing field is `NotThisModel` here: the API took the request as complete, by the entry that its catalog has.
    """
    for unmet in unmet_media(spec, media):
        error = NotThisModel if unmet.error is MissingField else unmet.error
        raise error(f"{unmet.sentence}.", field=unmet.field)


def check_voice_seconds(seconds: float, minimum: float) -> None:
    """Raise `NotThisModel` unless a reference voice is longer than the minimum of its model; both are seconds."""
    if seconds <= minimum:
        sentence = f"The model requires a reference voice of more than {minimum:g} s; this one has {seconds:.1f} s."
        raise NotThisModel(sentence, field="$.target_voice_path")


def takes_input_as_reference(spec: ModelSpec) -> bool:
    """Return whether `input_image` is the first of the reference images for this model.

    Models that edit (FLUX.2 klein, Qwen-Image-Edit) have `references` and no `image-to-image`. They read a whole image
    and do not start from a noisy one, so `strength` has no meaning for them. Together with `reference_images` it is one
    of at most `limits.max_references` images.
    """
    return "references" in spec.capabilities and "image-to-image" not in spec.capabilities


def speaks(spec: ModelSpec, language_id: str) -> bool:
    """Return whether the model speaks a language, or one that it is a variety of, as far as its entry lists them."""
    return not spec.languages or find_language(language_id, spec.languages) is not None


def _is_reference(spec: ModelSpec, media: Collection[str]) -> bool:
    return "input_image" in media and takes_input_as_reference(spec)


def _unmet_images(spec: ModelSpec, media: Collection[str]) -> Iterator[UnmetRequirement]:
    able, counted = spec.capabilities, _is_reference(spec, media)
    references = sum(name.startswith("reference_images.") for name in media)
    if not media and "text-to-image" not in able:
        yield _missing(spec, "input_image")
    if "input_image" in media and not counted and "image-to-image" not in able:
        yield _unsupported(spec, "input_image")
    if references and "references" not in able:
        yield _unsupported(spec, "reference_images")
    elif references + counted > spec.limits.max_references:
        count = f"{spec.limits.max_references} entries" + (", `input_image` counted as one," if counted else "")
        sentence = f"`reference_images` must have at most {count} for {spec.id}"
        yield UnmetRequirement(OutOfRange, "$.reference_images", sentence)


def _unmet_frames(spec: ModelSpec, media: Collection[str]) -> Iterator[UnmetRequirement]:
    able = spec.capabilities
    if "input_image" not in media and ("last_image" in media or "text-to-video" not in able):
        yield _missing(spec, "input_image")
    if "input_image" in media and "image-to-video" not in able:
        yield _unsupported(spec, "input_image")
    if "last_image" in media and "first-last-frame" not in able:
        yield _unsupported(spec, "last_image")


def _missing(spec: ModelSpec, field: str) -> UnmetRequirement:
    return UnmetRequirement(MissingField, f"$.{field}", f"`{field}` is required by {spec.id}; add it")


def _unsupported(spec: ModelSpec, field: str) -> UnmetRequirement:
    return UnmetRequirement(NotThisModel, f"$.{field}", f"`{field}` is not supported by {spec.id}; remove it")
