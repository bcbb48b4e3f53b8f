"""What a model requires of a request: what is refused with the rule, and what is adapted to it with a warning.

One function judges a request by the entry of the model, `_judge`. The API asks it at submit what is refused
(`unmet_requirements`). The engine asks it what to make instead (`settle`), and not the API, since the statement of a
submit chooses among several models. A family checks the media again, since the catalog of its worker may differ, and
makes the nearest size itself.
"""

from collections.abc import Collection, Iterable, Iterator
from typing import Any

import msgspec

from core.errors.fields import InvalidRequest, MissingField, NotThisModel, OutOfRange
from core.languages import find_language, not_spoken
from jobs.params.base import Params, Resolution, changed_fields
from jobs.params.cutout import SegmentParams
from jobs.params.image import ControlKind, ImageParams
from jobs.params.media import ELEMENTS, PICTURE, is_lora, media_of
from jobs.params.registry import AnyParams
from jobs.params.sound import MusicParams, SoundParams
from jobs.params.speech import SpeechParams
from jobs.params.text import TextParams, TranscriptParams
from jobs.params.upscale import UpscaleParams
from jobs.params.video import VideoParams
from pipelines.catalog.backends import LOCAL
from pipelines.catalog.limits import GenerationType, Policy, size_asked
from pipelines.catalog.sizes import nearest_size
from pipelines.catalog.spec import ModelSpec
from pipelines.catalog.variants import quantization_of, variant_id
from pipelines.vocabulary.words import named_words

MOTION = "motion_video"
"""The film of a request for a video; its other media are pictures."""
MASK = "mask"
"""What belongs to `input_image`; it is not counted as a picture."""
REFERENCES = "reference_images"
"""Pictures of what is to be seen."""
CONTROL = "control_image"
"""What steers the model; it is not counted as a picture, either."""
PADDING = "padding"
"""No input, but what a model that takes a mask paints beside `input_image`."""
FILM = "input_video"
"""The film of a request whose modality takes pictures, too."""
_DRAWN: dict[ControlKind, str] = {"canny": "edges", "depth": "depths", "pose": "poses"}
"""What a control picture of a kind shows."""
_MADE = {"video": "videos", "sound": "sounds", "music": "music"}
"""What has a duration, as a sentence names it."""
ENCODERS_OWN = ("logo_url", "subject_image")
"""Inputs that the encoder gets, and no model."""


class UnmetRequirement(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a request that a model does not support: the error, the field, and a sentence without its full stop.

    `policy` is what the entry says of it. `instead` are the fields with which the request meets the requirement and
    `warning` what to say then; None where nothing would.
    """

    error: type[InvalidRequest]
    field: str
    sentence: str
    policy: Policy = "refuse"
    instead: dict[str, Any] | None = None
    warning: str = ""

    def is_refused(self, ignores_unsupported: bool) -> bool:
        """Return whether the request is refused for it; see `unmet_requirements`."""
        ignored = ignores_unsupported and self.error is NotThisModel
        return self.instead is None or (self.policy == "refuse" and not ignored)


class SettledParams(msgspec.Struct, frozen=True):
    """Parameters as a model makes them, and a sentence for each difference from what was asked."""

    params: Any
    warnings: tuple[str, ...] = ()


def unmet_requirements(
    spec: ModelSpec, params: AnyParams, *, ignores_unsupported: bool = False
) -> Iterator[UnmetRequirement]:
    """Yield every requirement of the model for which the request is refused, the most specific first.

    A wire format may ignore the fields that a model does not use, whatever the entry says of them
    (`ignores_unsupported`); a value beyond the limits of a field that it does use stays the entry's to decide.
    """
    return (unmet for unmet in _judge(spec, params) if unmet.is_refused(ignores_unsupported))


def supports(spec: ModelSpec, params: AnyParams, *, ignores_unsupported: bool = False) -> bool:
    """Return whether the request is not refused; see `unmet_requirements`."""
    return next(unmet_requirements(spec, params, ignores_unsupported=ignores_unsupported), None) is None


def settle(spec: ModelSpec, params: Params) -> SettledParams:
    """Return the parameters of an accepted request as the model makes them, with a warning for each difference.

    The model's caveat comes before those.
    """
    changes: dict[str, Any] = {}
    warnings = [] if spec.caveat is None else [spec.caveat]
    for unmet in _judge(spec, params):
        if unmet.instead is not None:
            changes |= unmet.instead
            warnings.append(unmet.warning)
    size = spec.size_of(params)
    if size != size_asked(params):
        changes |= {"width": size[0], "height": size[1]}
    return SettledParams(msgspec.structs.replace(params, **changes) if changes else params, tuple(warnings))


def input_counts(spec: ModelSpec) -> dict[GenerationType, tuple[int, int]]:
    """Return what a model of images or videos may be asked to do, with the least and the most pictures that it takes.

    The capabilities say it, and `limits.inputs` where an entry has it. What comes first is meant where a request says
    nothing: pictures are frames of a video rather than references.
    """
    able, references = set(spec.capabilities), spec.limits.max_references
    counts: dict[GenerationType, tuple[int, int]] = {}
    if "text-to-image" in able:
        counts["text-to-image"] = (0, 0)
    if spec.modality == "image" and ("references" in able or "image-to-image" in able):
        counts["image-to-image"] = (1, max(1, references + ("image-to-image" in able)))
    if "text-to-video" in able and "references" not in able:
        counts["text-to-video"] = (0, 0)
    if "image-to-video" in able or "motion-control" in able:
        counts["image-to-video"] = (1, 2 if "first-last-frame" in able else 1)
    if {"text-to-video", "references"} <= able:
        counts["text-to-video"] = (0, references)
    return counts | spec.limits.inputs


def unmet_media(spec: ModelSpec, media: Collection[str]) -> Iterator[UnmetRequirement]:
    """Yield the requirements that the media of a request, by the names of `media_of` and `PADDING`, do not meet.

    A logo and a subject are no model's business: the encoder puts them on the image. LoRAs have rules of their own.
    """
    media = [name for name in media if name not in ENCODERS_OWN and not is_lora(name)]
    if spec.modality == "image":
        yield from _unmet_images(spec, media)
    elif spec.modality == "video":
        yield from _unmet_frames(spec, media)
    elif spec.modality == "embedding":
        if PICTURE in media and "pictures" not in spec.capabilities:
            yield _unsupported(spec, PICTURE)
    elif FILM in media and "films" not in spec.capabilities:
        yield _unsupported(spec, FILM)
    elif "target_voice_path" in media and "reference-voice" not in spec.capabilities:
        sentence = f"Voice cloning is not supported by {spec.id}; remove `target_voice_path`"
        yield UnmetRequirement(error=NotThisModel, field="$.target_voice_path", sentence=sentence)
    elif spec.modality == "text" and media and "vision" not in spec.capabilities:
        yield _unsupported(spec, "images")
    if spec.limits.inputs:
        yield from _unmet_counts(spec, [name for name in media if name not in (MOTION, MASK, PADDING, CONTROL)])


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
    and do not start from a noisy one, so `strength` has no meaning for them but under a mask. Together with
    `reference_images` it is one of at most `limits.max_references` images.
    """
    return "references" in spec.capabilities and "image-to-image" not in spec.capabilities


def speaks(spec: ModelSpec, language_id: str) -> bool:
    """Return whether the model speaks a language, or one that it is a variety of, as far as its entry lists them."""
    return not spec.languages or find_language(language_id, spec.languages) is not None


def _judge(spec: ModelSpec, params: Params) -> Iterator[UnmetRequirement]:
    """Yield what the request asks for and the model does not do, whether it is refused or adapted."""
    media = [medium.name for medium in media_of(params)]
    changed = dict(changed_fields(params))
    media += [PADDING] if PADDING in changed else []
    yield from _unused_fields(spec, params, changed, media)
    language = params.language_id if isinstance(params, SpeechParams | TranscriptParams) else None
    if language is not None and not speaks(spec, language):
        sentence = not_spoken(spec.id, language, spec.languages)
        yield UnmetRequirement(error=NotThisModel, field="$.language_id", sentence=sentence)
    if isinstance(params, SpeechParams):
        yield from _unmet_voice(spec, params)
    if isinstance(params, SegmentParams) and "words" in spec.capabilities and not params.classes:
        sentence = f"{spec.id} finds what `classes` name; name something in it"
        yield UnmetRequirement(error=MissingField, field="$.classes", sentence=sentence)
    is_timed = isinstance(params, TranscriptParams) and "word" in params.timestamp_granularities
    if is_timed and "word-times" not in spec.capabilities:
        sentence = f"{spec.id} has times of sentences alone; leave `word` out"
        yield UnmetRequirement(error=NotThisModel, field="$.timestamp_granularities", sentence=sentence)
    if isinstance(params, UpscaleParams) and params.scale > spec.limits.max_scale:
        sentence = f"`scale` must be at most {spec.limits.max_scale} for {spec.id}"
        yield UnmetRequirement(error=NotThisModel, field="$.scale", sentence=sentence)
    yield from unmet_media(spec, media)
    if isinstance(params, ImageParams):
        yield from _unmet_control(spec, params)
    if isinstance(params, ImageParams | VideoParams):
        yield from _unmet_loras(spec, params)
    if isinstance(params, VideoParams | SoundParams | MusicParams):
        yield from _other_duration(spec, params.duration_seconds, "duration_seconds" in changed)
    if isinstance(params, ImageParams) and params.resolution is not None:
        yield from _other_resolution(spec, params.resolution)
    if spec.unsupported.size == "refuse" and ("width" in changed or "height" in changed):
        yield from _other_size(spec, size_asked(params))
    if isinstance(params, MusicParams):
        yield from _unmet_lyrics(spec, params.lyrics)
    limit, prompt = spec.limits.max_prompt_chars, getattr(params, "prompt", None) or ""
    if spec.vocabulary and getattr(params, "sound", True) and not named_words(prompt, spec.vocabulary):
        of_film = isinstance(params, VideoParams)  # whose words are those of its sound
        what = "for `sound` a sound" if of_film else "something"
        yield UnmetRequirement(
            error=NotThisModel,
            field="$.prompt",
            sentence=f"`prompt` must name {what} that {spec.id} makes: {_or(spec.vocabulary)}",
            instead={"sound": False} if of_film else None,
            warning=f"{spec.id} found no sound in the prompt; the video is silent",
        )
    if isinstance(params, TextParams):
        yield from _other_template(spec, params)
        yield from _long_chat(spec, params)
    elif len(prompt) > limit:
        yield UnmetRequirement(
            error=OutOfRange,
            field="$.prompt",
            sentence=f"`prompt` must have at most {limit} characters for {spec.id}",
            policy=spec.unsupported.prompt,
            instead={"prompt": _cut(prompt, limit)},
            warning=f"{spec.id} reads {limit} characters of a prompt; the rest was cut off",
        )


def _unmet_voice(spec: ModelSpec, params: SpeechParams) -> Iterator[UnmetRequirement]:
    """Yield a voice that the model has not, and phonemes where it reads none."""
    if params.voice is not None and params.voice not in spec.voices:
        known = f"one of {', '.join(spec.voices)}" if spec.voices else "left out"
        sentence = f"`voice` must be {known} for {spec.id}"
        yield UnmetRequirement(error=NotThisModel, field="$.voice", sentence=sentence)
    for number, replacement in enumerate(params.replacements):
        if replacement.phonemes is not None and "phonemes" not in spec.capabilities:
            sentence = f"{spec.id} reads no phonemes; spell the word in `say`"
            field = f"$.replacements[{number}].phonemes"
            yield UnmetRequirement(error=NotThisModel, field=field, sentence=sentence)
            return


def _other_template(spec: ModelSpec, params: TextParams) -> Iterator[UnmetRequirement]:
    """Yield a request for another text than those that the model writes."""
    if spec.templates and params.template not in spec.templates:
        sentence = f"`template` must be {_or(spec.templates)} for {spec.id}, which answers nothing else"
        yield UnmetRequirement(error=NotThisModel, field="$.template", sentence=sentence)


def _long_chat(spec: ModelSpec, params: TextParams) -> Iterator[UnmetRequirement]:
    """Yield a chat of more characters than the model reads; nothing is left out of one."""
    if params.characters > spec.limits.max_prompt_chars:
        field = "prompt" if params.prompt else "messages" if params.messages else "variables"
        most = f"at most {spec.limits.max_prompt_chars} characters for {spec.id}"
        yield UnmetRequirement(error=OutOfRange, field=f"$.{field}", sentence=f"`{field}` must have {most}")


def _unused_fields(
    spec: ModelSpec, params: Params, changed: dict[str, Any], media: Collection[str]
) -> Iterator[UnmetRequirement]:
    """Yield the fields that the model does not use."""
    if isinstance(params, ImageParams) and params.strength is not None and _is_unchanged(spec, media):
        yield _unsupported(spec, "strength", spec.unsupported.strength)
    if changed.get("sound") and "sound" not in spec.capabilities and not spec.has_sound_apart:
        yield _unsupported(spec, "sound", spec.unsupported.sound, without=False)
    if changed.get("negative_prompt") and "negative-prompt" not in spec.capabilities:
        yield _unsupported(spec, "negative_prompt", spec.unsupported.negative_prompt)
    if "quality" in changed and changed["quality"] not in spec.quality:
        yield UnmetRequirement(
            error=NotThisModel,
            field="$.quality",
            sentence=f"`quality` must be {_or(['standard', *spec.quality])} for {spec.id}",
            policy=spec.unsupported.quality,
            instead={"quality": "standard"},
            warning=f"{spec.id} has no preset {changed['quality']!r}; its standard one was used",
        )


def undrawn(spec: ModelSpec, kind: ControlKind) -> str:
    """Return the sentence to a request whose control picture nothing of the model draws; see `_unmet_control`."""
    shown = _DRAWN[kind]
    return f"{spec.id} finds no {shown} in a picture; send one that shows {shown} itself, with `control_as_given: true`"


def _unmet_control(spec: ModelSpec, params: ImageParams) -> Iterator[UnmetRequirement]:
    """Yield a kind of control picture that the model would have to find in `control_image`, and does not."""
    kind = params.control_kind
    if params.control_image is None or params.control_as_given or "control" not in spec.capabilities:
        return
    if kind != "canny" and kind not in spec.preprocessors:
        yield UnmetRequirement(error=NotThisModel, field="$.control_kind", sentence=undrawn(spec, kind))


def _unmet_loras(spec: ModelSpec, params: ImageParams | VideoParams) -> Iterator[UnmetRequirement]:
    """Yield LoRAs that the model does not have, or not with this preset, whose weights are others."""
    for number, choice in enumerate(params.loras):
        if choice.is_file and not spec.lora_files:
            sentence = f"{spec.id} takes no LoRAs as files; name one of its own `loras`, or choose another model"
            yield UnmetRequirement(error=NotThisModel, field=f"$.loras[{number}].lora", sentence=sentence)
        elif not choice.is_file and choice.lora not in spec.loras:
            has = f"its LoRAs are {', '.join(spec.loras)}" if spec.loras else "it has none"
            sentence = f"{spec.id} has no LoRA {choice.lora[:80]!r}; {has}"
            yield UnmetRequirement(error=NotThisModel, field=f"$.loras[{number}].lora", sentence=sentence)
    if params.loras and (spec.compile or spec.order != (LOCAL,)):
        reason = "is compiled" if spec.compile else "other services make, too"
        sentence = f"`loras` are not supported by {spec.id}, which {reason}; remove them"
        yield UnmetRequirement(error=NotThisModel, field="$.loras", sentence=sentence)
    if params.loras and quantization_of(variant_id(spec, params.quality)) is not None:
        sentence = f"`loras` are not for `quality` {params.quality} of {spec.id}; choose another one or remove them"
        yield UnmetRequirement(error=NotThisModel, field="$.quality", sentence=sentence)


def _other_duration(spec: ModelSpec, asked: float, is_given: bool) -> Iterator[UnmetRequirement]:
    limits, made = spec.limits, spec.limits.nearest_seconds(asked)
    if made == asked:
        return
    least_or_most = "at most" if asked > made else "at least"
    rule = _or(f"{each:g}" for each in limits.durations) if limits.durations else f"{least_or_most} {made:g}"
    yield UnmetRequirement(
        error=OutOfRange,
        field="$.duration_seconds",
        sentence=f"`duration_seconds` must be {rule} for {spec.id}",
        policy=spec.unsupported.duration if is_given else "adapt",
        instead={"duration_seconds": made},
        warning=f"{spec.id} makes {_MADE[spec.modality]} of {rule} s; this one has {made:g} s",
    )


def _unmet_lyrics(spec: ModelSpec, lyrics: str | None) -> Iterator[UnmetRequirement]:
    limit = spec.limits.max_lyrics_chars
    if lyrics is not None and "lyrics" not in spec.capabilities:
        yield _unsupported(spec, "lyrics", spec.unsupported.lyrics)
    elif lyrics is not None and len(lyrics) > limit:
        sentence = f"`lyrics` must have at most {limit} characters for {spec.id}"
        yield UnmetRequirement(error=OutOfRange, field="$.lyrics", sentence=sentence)


def _other_resolution(spec: ModelSpec, asked: Resolution) -> Iterator[UnmetRequirement]:
    made = spec.limits.nearest_resolution(asked)
    if made != asked:
        rule = _or(dict.fromkeys(("1K", *spec.limits.resolutions)))
        yield UnmetRequirement(
            error=OutOfRange,
            field="$.resolution",
            sentence=f"`resolution` must be {rule} for {spec.id}",
            policy=spec.unsupported.size,
            instead={"resolution": made},
            warning=f"{spec.id} makes {rule}; this image is {made}",
        )


def _other_size(spec: ModelSpec, asked: tuple[int, int]) -> Iterator[UnmetRequirement]:
    limits, (width, height) = spec.limits, asked
    step = limits.side_multiple or 1
    if limits.native_sizes:
        is_made, nearest = asked in limits.native_sizes, nearest_size(limits.native_sizes, asked)
        rule = f"one of {', '.join(f'{each[0]}x{each[1]}' for each in limits.native_sizes)}"
        rule += f" (the nearest is {nearest[0]}x{nearest[1]})" if len(limits.native_sizes) > 1 else ""
    else:
        is_made = all(limits.min_side <= side <= limits.max_side and side % step == 0 for side in asked)
        rule = f"of sides from {limits.min_side} to {limits.max_side}" + (f", multiples of {step}," if step > 1 else "")
    if not is_made:
        sentence = f"The size must be {rule} for {spec.id}, and `width` and `height` are {width}x{height}"
        yield UnmetRequirement(error=OutOfRange, field="$.width", sentence=sentence)


def _is_reference(spec: ModelSpec, media: Collection[str]) -> bool:
    return "input_image" in media and takes_input_as_reference(spec)


def _is_unchanged(spec: ModelSpec, media: Collection[str]) -> bool:
    """Return whether `input_image` is seen alone: no part of it is kept, or repainted."""
    return _is_reference(spec, media) and not {MASK, PADDING} & {*media}


def _unmet_images(spec: ModelSpec, media: Collection[str]) -> Iterator[UnmetRequirement]:
    able, counted = spec.capabilities, _is_reference(spec, media)
    of_elements = sum(name.startswith(f"{ELEMENTS}.") for name in media)
    references = of_elements + sum(name.startswith(f"{REFERENCES}.") for name in media)
    if not media and "text-to-image" not in able:
        yield _missing(spec, "input_image")
    if "input_image" in media and not counted and "image-to-image" not in able:
        yield _unsupported(spec, "input_image")
    if CONTROL in media and "control" not in able:
        yield _unsupported(spec, CONTROL)
    repainted = [name for name in (MASK, PADDING) if name in media]
    if repainted and MASK not in able:
        yield from (_unsupported(spec, name) for name in repainted)
    elif repainted and "input_image" not in media:
        yield _missing(spec, "input_image")
    if references and "references" not in able:
        yield _unsupported(spec, ELEMENTS if of_elements else REFERENCES)
    elif references + counted > spec.limits.max_references:
        count = f"{spec.limits.max_references} entries" + (", `input_image` counted as one," if counted else "")
        count += f" with the pictures of `{ELEMENTS}`" if of_elements else ""
        sentence = f"`{REFERENCES}` must have at most {count} for {spec.id}"
        yield UnmetRequirement(error=OutOfRange, field=f"$.{REFERENCES}", sentence=sentence)


def _unmet_frames(spec: ModelSpec, media: Collection[str]) -> Iterator[UnmetRequirement]:
    able, moves = spec.capabilities, MOTION in media
    needs_film = "motion-control" in able and not {"text-to-video", "image-to-video"} & {*able}
    is_driven = "motion-control" in able and (moves or needs_film)
    references = sum(name.startswith(f"{REFERENCES}.") for name in media)
    if moves and "motion-control" not in able:
        yield _unsupported(spec, MOTION)
    if "input_image" not in media and (moves or "last_image" in media or "text-to-video" not in able):
        yield _missing(spec, "input_image")
    if "input_image" in media and "image-to-video" not in able and not is_driven:
        yield _unsupported(spec, "input_image")
    if moves and "last_image" in media:
        sentence = f"A video of {spec.id} that follows `{MOTION}` ends as that does; remove `last_image`, or the film"
        yield UnmetRequirement(error=NotThisModel, field="$.last_image", sentence=sentence)
    if needs_film and not moves:
        yield _missing(spec, MOTION)
    if "last_image" in media and "first-last-frame" not in able:
        yield _unsupported(spec, "last_image")
    if references and "references" not in able:
        yield _unsupported(spec, REFERENCES)
    elif references and references + moves > spec.limits.max_references:
        beside = f" beside `{MOTION}`, where `input_image` is one of them," if moves else ""
        most = spec.limits.max_references - moves
        sentence = f"`{REFERENCES}` must have at most {most} entries{beside} for {spec.id}"
        yield UnmetRequirement(error=OutOfRange, field=f"$.{REFERENCES}", sentence=sentence)


def _unmet_counts(spec: ModelSpec, media: Collection[str]) -> Iterator[UnmetRequirement]:
    """Yield a number of pictures that no generation type of the model takes."""
    counts, given = input_counts(spec), len(media)
    if any(least <= given <= most for least, most in counts.values()):
        return
    is_missing = any(given < least for least, _ in counts.values())
    further = "last_image" if spec.modality == "video" else "reference_images"
    field = further if media else "input_image"
    listed = " and ".join(f"{describe_count(*count)} for {name}" for name, count in counts.items())
    advice = f"add `{field}`" if is_missing else f"remove `{field}`"
    yield UnmetRequirement(
        error=MissingField if is_missing else OutOfRange,
        field=f"$.{field}",
        sentence=f"{spec.id} takes {listed}; this request has {given}: {advice}",
    )


def describe_count(least: int, most: int) -> str:
    """Return a number of pictures in words: `no pictures`, `exactly 2 pictures`, `1 to 3 pictures`."""
    if most == 0:
        return "no pictures"
    number = f"exactly {most}" if least == most else f"{least} to {most}"
    return f"{number} {'picture' if most == 1 else 'pictures'}"


def _missing(spec: ModelSpec, field: str) -> UnmetRequirement:
    return UnmetRequirement(
        error=MissingField, field=f"$.{field}", sentence=f"`{field}` is required by {spec.id}; add it"
    )


def _unsupported(
    spec: ModelSpec, field: str, policy: Policy | None = None, *, without: object = None
) -> UnmetRequirement:
    """Return the requirement of a field that the model does not use, which may be left out where it has a `policy`.

    `without` is its value then.
    """
    return UnmetRequirement(
        error=NotThisModel,
        field=f"$.{field}",
        sentence=f"`{field}` is not supported by {spec.id}; remove it",
        policy=policy or "refuse",
        instead=None if policy is None else {field: without},
        warning=f"{spec.id} does not use `{field}`; it was ignored",
    )


def _cut(prompt: str, limit: int) -> str:
    """Return the prompt up to the last word that ends within the limit."""
    end = prompt.rfind(" ", 0, limit + 1)
    return prompt[: end if end >= limit // 2 else limit]


def _or(words: Iterable[str]) -> str:
    *first, last = words
    return f"{', '.join(first)} or {last}" if first else last
