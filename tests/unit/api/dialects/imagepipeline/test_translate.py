"""From the bodies of calls to parameters of jobs."""

import msgspec
import pytest

from api.dialects.imagepipeline.schema import ChangeBackground, EditImage, FaceSwap, PersonPrompt, TryOn
from api.dialects.imagepipeline.translate import (
    NO_EDITOR,
    NO_EDITOR_OF_BACKGROUNDS,
    NO_PICTURE,
    change_background,
    edit_image,
    face_swap,
    person_prompt,
    try_on,
)
from core.errors.fields import NoCapableModel, OutOfRange

CHAIR, LOGO = "https://shop.example/chair.png", "https://shop.example/logo.png"


def read(type_, **body):
    return msgspec.json.decode(msgspec.json.encode(body), type=type_)


def test_the_pictures_of_an_edit_are_references():
    params = edit_image(read(EditImage, prompt="in velvet", input_image=[CHAIR, LOGO])).params
    assert (None, (CHAIR, LOGO), "fast") == (params.input_image, params.reference_images, params.quality)


def test_one_picture_is_the_start_where_no_model_edits():
    translation = edit_image(read(EditImage, prompt="in velvet", input_image=CHAIR, seed=7, tone_correction=1.0))
    otherwise = translation.otherwise
    assert (CHAIR, (), 7) == (otherwise.params.input_image, otherwise.params.reference_images, otherwise.params.seed)
    assert (*translation.warnings, NO_EDITOR) == otherwise.warnings
    assert edit_image(read(EditImage, prompt="in velvet", input_image=[CHAIR, LOGO])).otherwise is None


def test_one_segment_is_edited_where_it_is_the_background():
    translation = edit_image(read(EditImage, prompt="a beach", input_image=CHAIR, mask_segment="background"))
    params = translation.params
    assert (CHAIR, (), None, ()) == (
        params.subject_image,
        params.reference_images,
        translation.otherwise,
        translation.warnings,
    )
    with pytest.raises(NoCapableModel, match="edits the segment 'hat' alone") as refused:
        edit_image(read(EditImage, prompt="in velvet", input_image=CHAIR, mask_segment="hat"))
    assert "$.mask_segment" == refused.value.field
    assert (NO_PICTURE,) == edit_image(read(EditImage, prompt="a hat", mask_segment="hat")).warnings


def test_a_background_is_cut_out_where_no_model_edits():
    otherwise = change_background(
        read(ChangeBackground, prompt="a beach", input_image=CHAIR, use_segmentation=False)
    ).otherwise
    assert (CHAIR, "a beach", (NO_EDITOR_OF_BACKGROUNDS,)) == (
        otherwise.params.subject_image,
        otherwise.params.prompt,
        otherwise.warnings,
    )


@pytest.mark.parametrize(("more", "warned"), [({}, []), ({"upscale": 2}, ["upscale"]), ({"restore_weight": 0.5}, [])])
def test_the_face_of_the_source_is_put_into_the_target(more, warned):
    translation = face_swap(read(FaceSwap, source=LOGO, target=CHAIR, **more))
    assert (CHAIR, LOGO) == translation.params.reference_images
    assert warned == [warning.split("`")[1] for warning in translation.warnings]


def test_an_edit_takes_so_many_pictures():
    assert 16 == len(edit_image(read(EditImage, prompt="p", input_image=[CHAIR] * 16)).params.reference_images)
    with pytest.raises(OutOfRange) as refused:
        edit_image(read(EditImage, prompt="p", input_image=[CHAIR] * 17))
    assert "$.input_image" == refused.value.field


@pytest.mark.parametrize(
    ("asked", "made"),
    [
        ({}, (1024, 1024)),
        ({"width": 512}, (512, 1024)),
        ({"width": 1000, "height": 1022}, (1000, 1022)),
        ({"width": 2048, "height": 1024}, (1024, 512)),
        ({"width": 1025, "height": 1025}, (1024, 1024)),
        ({"width": 2048, "height": 64}, (1024, 64)),
    ],
)
def test_larger_sides_become_smaller_in_the_same_ratio(asked, made):
    translation = edit_image(read(EditImage, prompt="p", **asked))
    assert made == (translation.params.width, translation.params.height)
    assert [f"{made[0]}x{made[1]}" in one for one in translation.warnings] == [True] * (
        max(asked.values(), default=0) > 1024
    )


def test_sides_beyond_those_of_the_client_are_refused():
    with pytest.raises(msgspec.ValidationError, match="width"):
        read(EditImage, prompt="p", width=2049)


def test_the_size_of_the_route_is_its_default_for_a_profile():
    translation = try_on(read(TryOn, person_image=CHAIR, clothing_image=LOGO))
    assert {"width": 680, "height": 1024} == translation.defaults
    assert (680, 1024) == (translation.params.width, translation.params.height)


def test_fields_keep_their_names_where_they_mean_the_same():
    body = read(
        PersonPrompt, prompt="a portrait", input_image=CHAIR, negative_prompt="fog", num_inference_steps=4, seed=3
    )
    params = person_prompt(body).params
    assert ("a portrait", "fog", 4, 3) == (
        params.prompt,
        params.negative_prompt,
        params.num_inference_steps,
        params.seed,
    )
    assert (None, (CHAIR,)) == (params.input_image, params.reference_images)
    changed = change_background(read(ChangeBackground, prompt="a beach", input_image=CHAIR, true_cfg_scale=3)).params
    assert (CHAIR, None, 3) == (changed.subject_image, changed.input_image, changed.guidance_scale)
