"""Requests in the words of agents, as parameters of a job."""

from typing import Any

import pytest

from core.errors.fields import InvalidRequest, MissingField, NotThisModel, OutOfRange
from jobs.params.image import ImageParams
from jobs.params.video import VideoParams
from pipelines.catalog.media_request import MediaRequest, PlannedRequest, plan_request
from pipelines.catalog.spec import ModelSpec
from tests.support.checkpoints.specs import spec

URLS = [f"https://example.org/{number}.png" for number in range(17)]
WRITER = spec(id="writer", limits={"side_multiple": 16, "min_side": 256})
SHAPES = spec(id="shapes", limits={"native_sizes": [[256, 256], [512, 288]]})
EDITOR = spec(id="editor", capabilities=["references"], limits={"max_references": 3})
FILM: dict[str, Any] = {"modality": "video", "capabilities": ["text-to-video", "image-to-video"]}
STILL = spec(id="still", modality="video", capabilities=["image-to-video"], limits={"max_side": 1280})
ENDER = spec(id="ender", **FILM | {"capabilities": [*FILM["capabilities"], "first-last-frame"]})
CHOICE = spec(
    id="choice",
    **FILM | {"capabilities": [*FILM["capabilities"], "first-last-frame"]},
    limits={"durations": [4, 8], "inputs": {"text-to-video": [0, 1], "image-to-video": [2, 2]}},
)


def planned(model: ModelSpec, **fields: Any) -> PlannedRequest:
    return plan_request(model, MediaRequest(**{"prompt": "a red circle"} | fields))


def refused(model: ModelSpec, **fields: Any) -> tuple[type[InvalidRequest], str | None, str]:
    with pytest.raises(InvalidRequest) as caught:
        planned(model, **fields)
    return type(caught.value), caught.value.field, caught.value.detail


def test_a_prompt_is_enough() -> None:
    assert PlannedRequest(ImageParams(prompt="a red circle", model="writer")) == planned(WRITER)


def test_every_word_has_its_place() -> None:
    asked: dict[str, Any] = {"aspect_ratio": "16:9", "duration": "8s", "quality": "high", "seed": 3}
    made = planned(CHOICE, **asked, generation_type="image-to-video", source_media_urls=URLS[:2])
    assert (
        VideoParams(
            prompt="a red circle",
            model="choice",
            input_image=URLS[0],
            last_image=URLS[1],
            width=896,
            height=512,
            duration_seconds=8.0,
            seed=3,
        )
        == made.params
    )
    assert ("choice has no preset 'pro'; its standard one was used",) == made.warnings


@pytest.mark.parametrize(
    ("model", "ratio", "resolution", "size", "warnings"),
    [
        (WRITER, "1:1", None, (1024, 1024), 0),
        (WRITER, "16:9", None, (1024, 576), 0),
        (WRITER, "9:16", "1K", (576, 1024), 0),
        (WRITER, "21:9", None, (1024, 432), 0),
        (WRITER, "1:1", "2K", (1024, 1024), 1),
        (SHAPES, "16:9", None, (512, 288), 0),
        (SHAPES, "4:5", None, (256, 256), 1),
        (STILL, "16:9", None, (896, 512), 0),
        (STILL, "9:16", "720p", (704, 1280), 0),
        (STILL, "16:9", "4K", (1280, 704), 1),
        (STILL, None, None, (896, 512), 0),
    ],
)
def test_a_ratio_is_the_nearest_size(
    model: ModelSpec, ratio: str | None, resolution: str | None, size: tuple[int, int], warnings: int
) -> None:
    sources = URLS[:1] if model is STILL else ()
    made = planned(model, aspect_ratio=ratio, resolution=resolution, source_media_urls=sources)
    assert (size, warnings) == ((made.params.width, made.params.height), len(made.warnings))


def test_the_resolution_of_an_image_is_a_field_of_its_own() -> None:
    large = spec(id="large", limits={"resolutions": ["2K"], "max_side": 2048})
    params = planned(large, aspect_ratio="16:9", resolution="2k").params
    assert isinstance(params, ImageParams)
    assert (1024, 576, "2K") == (params.width, params.height, params.resolution)


def test_what_has_no_use_is_ignored_with_a_warning() -> None:
    made = planned(WRITER, duration="5s", sound=True, negative_prompt="blur", quality="splendid")
    assert ImageParams(prompt="a red circle", model="writer") == made.params
    assert (
        "`quality` 'splendid' is not known; the standard one was used",
        "writer makes no sound; `sound` was ignored",
        "writer makes pictures; `duration` was ignored",
        "writer does not use `negative_prompt`; it was ignored",
    ) == made.warnings


@pytest.mark.parametrize(
    ("model", "fields", "error", "field", "rule"),
    [
        (CHOICE, {"duration": "5s"}, OutOfRange, "$.duration", "`duration` must be 4 or 8 for choice."),
        (CHOICE, {"duration": "long"}, OutOfRange, "$.duration", "`duration` must be a number of seconds"),
        (WRITER, {"aspect_ratio": "wide"}, OutOfRange, "$.aspect_ratio", "`aspect_ratio` must be two numbers"),
        (WRITER, {"resolution": "9K"}, OutOfRange, "$.resolution", "`resolution` must be one of 1K, 2K, 4K."),
        (WRITER, {"prompt": "x" * 4001}, OutOfRange, "$.prompt", "`prompt` must have at most 4000 characters for"),
        (
            *(WRITER, {"generation_type": "text-to-video"}, NotThisModel, "$.generation_type"),
            "writer does not do text-to-video; its generation types are text-to-image.",
        ),
    ],
)
def test_what_is_refused_names_the_rule(
    model: ModelSpec, fields: dict[str, Any], error: type[InvalidRequest], field: str, rule: str
) -> None:
    found = refused(model, **fields)
    assert (error, field) == found[:2]
    assert rule in found[2]


@pytest.mark.parametrize(
    ("model", "generation_type", "count", "error", "rule"),
    [
        (WRITER, "text-to-image", 1, NotThisModel, "takes no pictures, and `source_media_urls` has 1"),
        (ENDER, "text-to-video", 1, NotThisModel, "takes no pictures, and `source_media_urls` has 1"),
        (STILL, "image-to-video", 0, MissingField, "takes exactly 1 picture, and `source_media_urls` has 0"),
        (STILL, "image-to-video", 2, OutOfRange, "takes exactly 1 picture, and `source_media_urls` has 2"),
        (CHOICE, "image-to-video", 1, MissingField, "takes exactly 2 pictures, and `source_media_urls` has 1"),
        (CHOICE, "text-to-video", 2, OutOfRange, "takes 0 to 1 picture, and `source_media_urls` has 2"),
        (EDITOR, "image-to-image", 4, OutOfRange, "takes 1 to 3 pictures, and `source_media_urls` has 4"),
    ],
)
def test_another_number_of_source_media_is_refused(
    model: ModelSpec, generation_type: str, count: int, error: type[InvalidRequest], rule: str
) -> None:
    found = refused(model, generation_type=generation_type, source_media_urls=URLS[:count])
    assert (error, "$.source_media_urls") == found[:2]
    assert rule in found[2]


@pytest.mark.parametrize(("count", "last"), [(0, None), (1, None), (2, URLS[1])])
def test_the_source_media_say_the_generation_type(count: int, last: str | None) -> None:
    params = planned(CHOICE, source_media_urls=URLS[:count]).params
    assert isinstance(params, VideoParams)
    assert (URLS[0] if count else None, last) == (params.input_image, params.last_image)


def test_pictures_of_a_film_are_frames_or_references() -> None:
    model = spec(
        id="caster",
        modality="video",
        capabilities=["text-to-video", "image-to-video", "first-last-frame", "references"],
        limits={"max_references": 3},
    )
    frames = planned(model, source_media_urls=URLS[:2]).params
    named = planned(model, source_media_urls=URLS[:1], generation_type="text-to-video").params
    many = planned(model, source_media_urls=URLS[:3]).params
    assert isinstance(frames, VideoParams)
    assert isinstance(named, VideoParams)
    assert isinstance(many, VideoParams)
    assert (URLS[0], URLS[1], ()) == (frames.input_image, frames.last_image, frames.reference_images)
    assert (None, None, (URLS[0],)) == (named.input_image, named.last_image, named.reference_images)
    assert (None, tuple(URLS[:3])) == (many.input_image, many.reference_images)


def test_the_first_of_many_pictures_is_edited() -> None:
    editor = spec(id="many", capabilities=["references"], limits={"max_references": 16})
    params = planned(editor, source_media_urls=URLS[:16]).params
    assert isinstance(params, ImageParams)
    assert (URLS[0], tuple(URLS[1:16])) == (params.input_image, params.reference_images)
    assert OutOfRange is refused(editor, source_media_urls=URLS)[0]


def test_a_long_prompt_is_cut_where_the_entry_says_so() -> None:
    model = spec(unsupported={"prompt": "adapt"})
    made = planned(model, prompt="word " * 1000)
    assert (3999, 1) == (len(made.params.prompt), len(made.warnings))


def test_sizes_that_are_not_made_may_be_refused() -> None:
    model = spec(id="square", limits={"native_sizes": [[512, 512]]}, unsupported={"size": "refuse"})
    assert (512, 512) == (planned(model, aspect_ratio="1:1").params.width, 512)
    error, field, detail = refused(model, aspect_ratio="16:9")
    assert (OutOfRange, "$.aspect_ratio") == (error, field)
    assert "square does not make 16:9; the nearest is 512x512; ask for a size that it makes." == detail
