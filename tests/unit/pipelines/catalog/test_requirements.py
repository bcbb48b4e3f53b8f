"""What models require of requests: the rules that the API checks at submit and families check again."""

import pytest

from core.errors.fields import MissingField, NotThisModel, OutOfRange
from jobs.params.image import ImageParams
from jobs.params.media import media_of
from jobs.params.video import VideoParams
from pipelines.catalog.requirements import (
    check_media,
    check_voice_seconds,
    takes_input_as_reference,
    unmet_media,
    unmet_requirements,
)
from tests.support.checkpoints.specs import spec

URL = "https://example.org/a.png"
WRITER = spec(id="writer", capabilities=["text-to-image"])
EDITOR = spec(id="editor", capabilities=["references"], limits={"max_references": 2})
BOTH = spec(id="both", capabilities=["image-to-image", "references"], limits={"max_references": 2})
CAMERA = spec(id="camera", modality="video", capabilities=["image-to-video"], limits={"max_seconds": 3})
ENDER = spec(id="ender", modality="video", capabilities=["text-to-video", "image-to-video", "first-last-frame"])
BRITON = spec(id="briton", modality="speech", capabilities=[], languages=["en"])


@pytest.mark.parametrize(
    ("model", "media", "error", "message"),
    [
        (WRITER, ["input_image"], NotThisModel, "`input_image` is not supported by writer; remove it."),
        (WRITER, ["reference_images.0"], NotThisModel, "`reference_images` is not supported by writer; remove it."),
        (EDITOR, [], NotThisModel, "`input_image` is required by editor; add it."),
        (
            *(EDITOR, ["input_image", "reference_images.0", "reference_images.1"], OutOfRange),
            "`reference_images` must have at most 2 entries, `input_image` counted as one, for editor.",
        ),
        (CAMERA, [], NotThisModel, "`input_image` is required by camera; add it."),
        (CAMERA, ["input_image", "last_image"], NotThisModel, "`last_image` is not supported by camera; remove it."),
        (ENDER, ["last_image"], NotThisModel, "`input_image` is required by ender; add it."),
        (
            *(BRITON, ["target_voice_path"], NotThisModel),
            "Voice cloning is not supported by briton; remove `target_voice_path`.",
        ),
    ],
)
def test_media_without_support_are_refused(model, media, error, message):
    with pytest.raises(error) as caught:
        check_media(model, media)
    assert (error, message) == (type(caught.value), caught.value.detail)
    assert caught.value.field.removeprefix("$.") in message


@pytest.mark.parametrize(
    ("model", "media"),
    [
        (WRITER, []),
        (EDITOR, ["input_image", "reference_images.0"]),
        (BOTH, ["input_image", "reference_images.0", "reference_images.1"]),
        (CAMERA, ["input_image"]),
        (ENDER, ["input_image", "last_image"]),
        (ENDER, []),
        (BRITON, []),
    ],
)
def test_supported_media_are_accepted(model, media):
    assert [] == list(unmet_media(model, media))


def test_an_editor_takes_its_input_as_a_reference():
    assert takes_input_as_reference(EDITOR)
    assert not takes_input_as_reference(BOTH)
    assert not takes_input_as_reference(WRITER)


def test_strength_is_refused_where_the_input_is_a_reference():
    params = ImageParams(prompt="a", input_image=URL, strength=0.5)
    assert ["$.strength"] == [unmet.field for unmet in unmet_requirements(EDITOR, params)]
    assert [] == list(unmet_requirements(BOTH, params))


def test_a_family_does_not_refuse_what_it_can_shorten():
    params = VideoParams(input_image=URL, duration_seconds=4.0)
    assert ["$.duration_seconds"] == [unmet.field for unmet in unmet_requirements(CAMERA, params)]
    check_media(CAMERA, [medium.name for medium in media_of(params)])


def test_a_reference_voice_must_be_longer_than_the_minimum():
    check_voice_seconds(5.1, 5.0)
    with pytest.raises(NotThisModel, match=r"more than 5 s; this one has 5\.0 s\.") as caught:
        check_voice_seconds(5.0, 5.0)
    assert "$.target_voice_path" == caught.value.field


def test_a_missing_image_is_a_missing_field_only_at_submit():
    (unmet,) = unmet_media(EDITOR, [])
    assert (MissingField, "$.input_image") == (unmet.error, unmet.field)
    with pytest.raises(NotThisModel):
        check_media(EDITOR, [])
