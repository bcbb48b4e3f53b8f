"""Calls as jobs, and models as agents see them."""

import pytest

from api.dialects.mcp.schema import GenerateMedia, InputCounts
from api.dialects.mcp.translate import counts_of, model_choice, planned_call, poll_after
from core.errors.fields import InvalidRequest, MissingField, NotThisModel
from core.settings import Settings
from pipelines.catalog.loader import load_catalog

CATALOG = load_catalog()
PHOTO = "https://shop.example/1.jpg"


def plan(model, **said):
    return planned_call(CATALOG.get(model), GenerateMedia(**{"prompt": "a star", "model": model} | said))


@pytest.mark.parametrize("sources", [PHOTO, [PHOTO]])
def test_one_source_or_several(sources):
    planned = plan("flux2-klein-4b", source_media_urls=sources)
    assert (PHOTO, "image-to-image") == (planned.params.input_image, planned.generation_type)


def test_ratio_duration_and_quality_are_those_of_the_model():
    planned = plan("wan2.2-ti2v-5b", aspect_ratio="9:16", duration="3s", sound=True)
    assert (512, 896, 3.0) == (planned.params.width, planned.params.height, planned.params.duration_seconds)
    assert ("text-to-video", True, ()) == (planned.generation_type, planned.params.sound, planned.warnings)


def test_other_models_do_one_thing():
    recording = plan("chatterbox", prompt="Good morning.", source_media_urls=PHOTO, duration="5s")
    assert ("Good morning.", PHOTO) == (recording.params.text, recording.params.target_voice_path)
    assert ("text-to-speech", ("`duration` was ignored: chatterbox does not use it",)) == (
        recording.generation_type,
        recording.warnings,
    )
    assert PHOTO == plan("demo-relief", source_media_urls=PHOTO).params.image_path
    assert PHOTO == plan("demo-cutout", source_media_urls=PHOTO).params.image_url


@pytest.mark.parametrize(
    ("model", "name", "fields"),
    [
        ("moss-soundeffect-v2", "text-to-sound", {"negative_prompt": "speech"}),
        ("demo-music", "text-to-music", {"lyrics": "[verse] la"}),
    ],
)
def test_sounds_and_music_have_a_duration(model, name, fields):
    planned = plan(model, duration="12s", generation_type=name, **fields)
    assert (name, (), 12.0, "mp3") == (
        planned.generation_type,
        planned.warnings,
        planned.params.duration_seconds,
        planned.params.output_format,
    )
    assert fields == {field: getattr(planned.params, field) for field in fields}


@pytest.mark.parametrize(
    ("error", "model", "said"),
    [
        (MissingField, "demo-relief", {}),
        (InvalidRequest, "demo-cutout", {"source_media_urls": [PHOTO, PHOTO]}),
        (NotThisModel, "demo-cutout", {"source_media_urls": PHOTO, "generation_type": "image-to-3d"}),
        (NotThisModel, "z-image-turbo", {"generation_type": "text-to-speech"}),
        (NotThisModel, "brand-kit", {}),
    ],
)
def test_what_a_model_does_not_do_is_refused(error, model, said):
    with pytest.raises(error):
        plan(model, **said)


@pytest.mark.parametrize(
    ("model", "name", "counts"),
    [
        ("flux2-klein-4b", "text-to-image", (0, 0)),
        ("flux2-klein-4b", "image-to-image", (1, 4)),
        ("chatterbox", "text-to-speech", (0, 1)),
        ("demo-espeak", "text-to-speech", (0, 0)),
        ("demo-relief", "image-to-3d", (1, 1)),
    ],
)
def test_how_many_sources_a_model_takes(model, name, counts):
    assert InputCounts(*counts) == counts_of(CATALOG.get(model))[name]


def test_a_model_as_agents_see_it():
    shown = {"available": True, "default": True, "has_sound": True, "settings": Settings()}
    choice = model_choice(CATALOG.get("wan2.2-ti2v-5b"), **shown)
    assert (["text-to-video", "image-to-video"], ["image"]) == (choice.generation_types, choice.input_media_types)
    assert (True, 10.0) == (choice.capabilities.negative_prompt, choice.capabilities.max_duration_seconds)
    assert choice.capabilities.sound


def test_when_to_look_again():
    assert [2, 2, 10, 30, 30] == [poll_after(seconds) for seconds in (0.0, 3.0, 20.0, 600.0, None)]
