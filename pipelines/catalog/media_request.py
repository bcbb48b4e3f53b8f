"""Requests for pictures and films in the words of agents: a ratio, `5s`, `pro`, a list of source media.

`plan_request` turns one into the parameters of a job, by the entry of its model; the submit judges those as it judges
any others (`requirements.py`).
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import lcm, sqrt
from typing import Any

import msgspec

from core.errors.fields import InvalidRequest, MissingField, NotThisModel, OutOfRange
from jobs.params.base import Quality
from jobs.params.image import ImageParams
from jobs.params.media import Element
from jobs.params.video import VideoParams
from pipelines.catalog.limits import LONGEST_SIDES, GenerationType, usual_size
from pipelines.catalog.requirements import describe_count, input_counts, settle, unmet_requirements
from pipelines.catalog.sizes import (
    IMAGE_SIDES,
    VIDEO_SIDES,
    VIDEO_STEP,
    Size,
    fit_sides,
    nearest_size,
    parse_pair,
    shape_distance,
)
from pipelines.catalog.spec import ModelSpec

QUALITIES: Mapping[str, Quality] = {
    **dict.fromkeys(("fast", "low", "basic", "draft"), "fast"),
    **dict.fromkeys(("standard", "auto", "medium", "normal"), "standard"),
    **dict.fromkeys(("pro", "high", "hd"), "pro"),
    **dict.fromkeys(("ultra", "xhigh", "max"), "ultra"),
}
"""The presets that words of other services mean."""
SHORTEST_SIDES = {"480p": 480, "512p": 512, "720p": 720, "1080p": 1080, "2K": 1440, "4K": 2160}
"""The shortest side of a video, by its resolution."""
IMAGE_STEP = 8
"""Sides of an image that is asked for by its ratio are multiples of it, where the model does not say."""
NEAR = 0.05
"""By how much the ratio of the sides may differ from the one that is asked for, without a warning."""
RATIO = re.compile(r"[1-9]\d{0,2}(\.\d{1,3})?:[1-9]\d{0,2}(\.\d{1,3})?")
OWN_NAMES = {
    "duration_seconds": "duration",
    "input_image": "source_media_urls",
    "last_image": "source_media_urls",
    "motion_video": "source_media_urls",
    "reference_images": "source_media_urls",
}
"""Names of `MediaRequest`, by those of the parameters."""
FILM_NAME = re.compile(r"^data:video/|\.(mp4|m4v|mov|webm)(?=[?#]|$)", re.IGNORECASE)
"""A URL of a film."""
OWN_NAMES_PATTERN = re.compile("|".join(OWN_NAMES))
SECONDS = re.compile(r"(\d{1,4}(?:\.\d{1,3})?)\s*(s|sec|secs|seconds?)?", re.IGNORECASE)


class MediaRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A request for a picture or a film.

    - `generation_type`: without one, the first of the model's that takes so many `source_media_urls`.
    - `source_media_urls`: whatever a field of media takes: URLs, ids of uploads and of the library.
    - `aspect_ratio`: `16:9`. `resolution`: `1K`, `2K`, `4K`, and of videos `720p`. None leaves the size to the model.
    - `elements`: what `@name` in the prompt means, for models of images.
    - `duration`: seconds, as a number or as `5s`. `quality`: a word of `QUALITIES`; another one is ignored.
    """

    prompt: str
    generation_type: GenerationType | None = None
    source_media_urls: Sequence[str] = ()
    negative_prompt: str | None = None
    aspect_ratio: str | None = None
    resolution: str | None = None
    duration: str | float | None = None
    quality: str | None = None
    sound: bool = False
    seed: int | None = None
    elements: Sequence[Element] = ()


class PlannedRequest(msgspec.Struct, frozen=True):
    """The parameters of the job, and sentences about what was not passed on, for the `warnings` of its origin."""

    params: ImageParams | VideoParams
    warnings: tuple[str, ...] = ()


def plan_request(spec: ModelSpec, request: MediaRequest) -> PlannedRequest:
    """Return the job of a request, for a model of images or videos.

    A field that the model does not use is ignored, with a warning. Raises `NotThisModel`, `MissingField`, `OutOfRange`
    or another `InvalidRequest` with the name of the field in `MediaRequest`, and a sentence with the rule.
    """
    sources, film = split_sources(spec, request.source_media_urls)
    chosen = choose_type(spec, request.generation_type, len(sources))
    size, warnings = size_for(spec, request.aspect_ratio, request.resolution)
    quality = QUALITIES.get((request.quality or "standard").strip().lower())
    fields: dict[str, Any] = {
        "model": spec.id,
        "prompt": request.prompt,
        "negative_prompt": request.negative_prompt or None,
        "seed": -1 if request.seed is None else request.seed,
        "width": size[0],
        "height": size[1],
        "quality": quality or "standard",
        "input_image": sources[0] if sources else None,
    }
    asked: ImageParams | VideoParams
    if spec.modality == "image":
        fields |= _resolution(spec, request.resolution)
        asked = ImageParams(**fields, reference_images=tuple(sources[1:]), elements=tuple(request.elements))
    else:
        if request.duration is not None:
            fields["duration_seconds"] = parse_seconds(request.duration)
        if chosen == "text-to-video" and "references" in spec.capabilities:
            fields |= {"input_image": None, "reference_images": tuple(sources)}
        elif len(sources) > 1:
            fields["last_image"] = sources[1]
        asked = VideoParams(**fields, motion_video=film, sound=request.sound)
    for unmet in unmet_requirements(spec, asked, ignores_unsupported=True):
        raise unmet.error(_in_own_words(unmet.sentence) + ".", field=_in_own_words(unmet.field))
    settled = settle(spec, asked)
    fields = msgspec.to_builtins(settled.params) | {"width": size[0], "height": size[1]}  # a preset's is the engine's
    try:
        params = msgspec.convert(fields, type(asked))
    except msgspec.ValidationError as error:
        raise OutOfRange(_in_own_words(f"{error}; correct it.")) from None
    return PlannedRequest(params, (*_ignored(spec, request, quality), *warnings, *settled.warnings))


def split_sources(spec: ModelSpec, sources: Sequence[str]) -> tuple[list[str], str | None]:
    """Return the pictures among the sources, and the film of motion control, for a model that has it.

    The film is the source whose name says so, and where none does the last of more than the model has frames for.
    """
    pictures = list(sources)
    if "motion-control" not in spec.capabilities:
        return pictures, None
    named = [source for source in pictures if FILM_NAME.search(source)]
    frames = 2 if "first-last-frame" in spec.capabilities else 1
    film = named[0] if named else pictures[-1] if len(pictures) > frames else None
    if film is not None:
        pictures.remove(film)
    return pictures, film


def _ignored(spec: ModelSpec, request: MediaRequest, quality: Quality | None) -> Iterator[str]:
    if quality is None:
        yield f"`quality` {request.quality!r} is not known; the standard one was used"
    if request.sound and spec.modality == "image":
        yield f"{spec.id} makes no sound; `sound` was ignored"
    if request.duration is not None and spec.modality == "image":
        yield f"{spec.id} makes pictures; `duration` was ignored"


def choose_type(spec: ModelSpec, asked: GenerationType | None, pictures: int) -> GenerationType:
    """Return the generation type of a request with so many pictures. Raises as `plan_request` does."""
    counts = input_counts(spec)
    if not counts:
        raise NotThisModel(f"{spec.id} makes neither pictures nor films; choose another model.", field="$.model")
    fitting = (name for name, (least, most) in counts.items() if least <= pictures <= most)
    chosen = asked or next(fitting, max(counts, key=lambda name: counts[name]))
    if chosen not in counts:
        raise NotThisModel(
            f"{spec.id} does not do {chosen}; its generation types are {', '.join(counts)}.", field="$.generation_type"
        )
    least, most = counts[chosen]
    if not least <= pictures <= most:
        raise _wrong_count(spec, chosen, pictures)
    return chosen


def size_for(spec: ModelSpec, aspect_ratio: str | None, resolution: str | None) -> tuple[Size, tuple[str, ...]]:
    """Return width and height for a ratio such as `16:9` and, of a video, a resolution such as `720p`, and warnings.

    It is the nearest that the model makes. Without either it is the default of the modality, which leaves the size to
    the model. Raises `OutOfRange` for another ratio or resolution, and where the entry refuses sizes that are not made.
    """
    usual = usual_size(ImageParams if spec.modality == "image" else VideoParams) or (0, 0)
    if aspect_ratio is None and resolution is None:
        return usual, ()
    asked = _pixels(spec, _ratio(aspect_ratio) or usual, resolution, usual)
    limits = spec.limits
    if limits.native_sizes:
        made = nearest_size(limits.native_sizes, asked)
    else:
        (least, most), step = (IMAGE_SIDES, IMAGE_STEP) if spec.modality == "image" else (VIDEO_SIDES, VIDEO_STEP)
        step = lcm(limits.side_multiple or step, step)
        sides = -(-max(least, limits.min_side) // step) * step, min(most, limits.max_side) // step * step
        made = fit_sides(*asked, sides, step)
    differences = tuple(_differences(spec, aspect_ratio, resolution, asked, made))
    if differences and spec.unsupported.size == "refuse":
        field = "resolution" if aspect_ratio is None else "aspect_ratio"
        raise OutOfRange(f"{differences[0]}; ask for a size that it makes.", field=f"$.{field}")
    return made, differences


def parse_seconds(duration: str | float) -> float:
    """Return the seconds of `5`, `5s` or 5. Raises `OutOfRange`."""
    found = SECONDS.fullmatch(str(duration).strip())
    if found is None:
        raise OutOfRange("`duration` must be a number of seconds, such as `5s`.", field="$.duration")
    return float(found[1])


def _ratio(text: str | None) -> tuple[float, float] | None:
    if text is None:
        return None
    if RATIO.fullmatch(text.strip()) is None:
        raise OutOfRange("`aspect_ratio` must be two numbers, such as `16:9`.", field="$.aspect_ratio")
    return parse_pair(text.strip(), ":")


def _pixels(spec: ModelSpec, ratio: tuple[float, float], resolution: str | None, usual: Size) -> tuple[float, float]:
    """Return the sides of this ratio, whatever the model makes: of a video those of this resolution."""
    if spec.modality == "image":
        scale = max(usual) / max(ratio)  # the job has the resolution beside them
    elif resolution is not None:
        scale = SHORTEST_SIDES[_known(resolution, SHORTEST_SIDES)] / min(ratio)
    else:
        scale = sqrt(usual[0] * usual[1] / (ratio[0] * ratio[1]))
    return ratio[0] * scale, ratio[1] * scale


def _resolution(spec: ModelSpec, asked: str | None) -> dict[str, str]:
    """Return the field of the job for the resolution of an image."""
    return {} if asked is None or spec.modality != "image" else {"resolution": _known(asked, LONGEST_SIDES)}


def _known(resolution: str, known: Iterable[str]) -> str:
    """Return the resolution as it is written in `known`. Raises `OutOfRange`."""
    written = {name.lower(): name for name in known}
    found = written.get(resolution.strip().lower())
    if found is None:
        raise OutOfRange(f"`resolution` must be one of {', '.join(written.values())}.", field="$.resolution")
    return found


def _differences(
    spec: ModelSpec, aspect_ratio: str | None, resolution: str | None, asked: tuple[float, float], made: Size
) -> Iterator[str]:
    if aspect_ratio is not None and shape_distance(made, asked) > NEAR:
        yield f"{spec.id} does not make {aspect_ratio}; the nearest is {made[0]}x{made[1]}"
    elif spec.modality == "video" and resolution is not None and max(made) < max(asked) * (1 - NEAR):
        yield f"{spec.id} does not make {resolution}; the largest of this shape is {made[0]}x{made[1]}"


def _wrong_count(spec: ModelSpec, generation_type: GenerationType, given: int) -> InvalidRequest:
    """Return the error of a number of source media that a generation type of the model does not take."""
    least, most = input_counts(spec)[generation_type]
    sentence = (
        f"{generation_type} with {spec.id} takes {describe_count(least, most)}, and `source_media_urls` has {given}"
    )
    if given < least:
        return MissingField(f"{sentence}; add the missing ones.", field="$.source_media_urls")
    error = NotThisModel if most == 0 else OutOfRange
    return error(f"{sentence}; leave out the others.", field="$.source_media_urls")


def _in_own_words(text: str) -> str:
    """Return a sentence or a path with the names of `MediaRequest`."""
    return OWN_NAMES_PATTERN.sub(lambda found: OWN_NAMES[found[0]], text)
