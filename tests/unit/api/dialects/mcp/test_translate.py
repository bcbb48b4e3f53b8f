"""Calls as parameters, and models as agents see them."""

import pytest

from api.dialects.mcp.schema import GenerateMedia, InputCounts
from api.dialects.mcp.translate import chosen_type, input_counts, job_params, model_choice, poll_after, seconds_of
from core.errors.fields import OutOfRange
from core.settings import Settings
from pipelines.catalog.loader import load_catalog

CATALOG = load_catalog()
PHOTO, LAST = "https://shop.example/1.jpg", "https://shop.example/2.jpg"


@pytest.mark.parametrize(
    ("text", "seconds"), [("5s", 5), ("5", 5), (" 2.5 sec", 2.5), (8, 8), ("10 seconds", 10), ("3S", 3)]
)
def test_durations(text, seconds):
    assert seconds == seconds_of(text)


@pytest.mark.parametrize("text", ["long", "", "-5s", "5m", "1e3"])
def test_other_texts_are_no_duration(text):
    with pytest.raises(OutOfRange):
        seconds_of(text)


@pytest.mark.parametrize(
    ("model", "ratio", "size"),
    [
        ("z-image-turbo", "1:1", (1024, 1024)),
        ("z-image-turbo", "21:9", (1024, 439)),
        ("demo-shapes", "1:1", (256, 256)),
        ("demo-camera", "1:1", (672, 672)),
        ("demo-camera", "9:16", (512, 896)),
    ],
)
def test_a_ratio_becomes_sides_of_the_models_usual_size(model, ratio, size):
    params = job_params(GenerateMedia(prompt="a star", model=model, aspect_ratio=ratio), CATALOG.get(model))
    assert size == (params.width, params.height)


def test_sources_are_the_inputs_in_their_order():
    asked = GenerateMedia(prompt="in velvet", model="flux2-klein-4b", source_media_urls=[PHOTO, LAST])
    image = job_params(asked, CATALOG.get("flux2-klein-4b"))
    assert (PHOTO, (LAST,)) == (image.input_image, image.reference_images)
    film = job_params(asked, CATALOG.get("wan2.2-ti2v-5b"))
    assert (PHOTO, LAST) == (film.input_image, film.last_image)


@pytest.mark.parametrize(
    ("model", "name", "counts"),
    [
        ("flux2-klein-4b", "text-to-image", (0, 0)),
        ("flux2-klein-4b", "image-to-image", (1, 4)),
        ("z-image-turbo", "image-to-image", (1, 1)),
        ("wan2.2-ti2v-5b", "image-to-video", (1, 1)),
        ("chatterbox", "text-to-speech", (0, 1)),
        ("demo-relief", "image-to-3d", (1, 1)),
    ],
)
def test_how_many_sources_a_model_takes(model, name, counts):
    assert InputCounts(*counts) == input_counts(CATALOG.get(model), name)


def test_what_is_done_where_the_call_does_not_say():
    assert "text-to-image" == chosen_type(CATALOG.get("z-image-turbo"), None, [PHOTO])
    assert "image-to-video" == chosen_type(CATALOG.get("wan2.2-ti2v-5b"), None, [PHOTO])
    assert "text-to-video" == chosen_type(CATALOG.get("wan2.2-ti2v-5b"), None, [])
    assert "remove-background" == chosen_type(CATALOG.get("demo-cutout"), None, [PHOTO])


def test_a_model_as_agents_see_it():
    choice = model_choice(CATALOG.get("wan2.2-ti2v-5b"), available=True, default=True, settings=Settings())
    assert (["text-to-video", "image-to-video"], ["image"]) == (choice.generation_types, choice.input_media_types)
    assert (True, 5.0) == (choice.capabilities.negative_prompt, choice.capabilities.max_duration_seconds)


def test_when_to_look_again():
    assert [2, 2, 10, 30, 30] == [poll_after(seconds) for seconds in (0.0, 3.0, 20.0, 600.0, None)]
