import msgspec
import pytest

from api.dialects.openai.images import as_links, image_jobs, image_size
from api.dialects.openai.schema import EditRequest, GenerationRequest, VariationRequest
from core.errors.fields import NotSupportedYet


def asked(**fields):
    return msgspec.convert({"prompt": "a red circle"} | fields, GenerationRequest)


@pytest.mark.parametrize(
    ("size", "made", "said"),
    [
        (None, (1024, 1024), False),
        ("auto", (1024, 1024), False),
        ("512x768", (512, 768), False),
        ("1792x1024", (1024, 585), True),
        ("1024x1536", (683, 1024), True),
        ("20x20", (64, 64), True),
    ],
)
def test_a_size_is_made_or_the_nearest_one_is_said(size, made, said):
    found, warnings = image_size(size)
    assert (made, said) == (found, any(f"{made[0]}x{made[1]}" in warning for warning in warnings))


def test_ten_images_are_two_jobs():
    assert [8, 2] == [params.num_images for params in image_jobs(asked(n=10), None).params]
    assert [1] == [params.num_images for params in image_jobs(asked(), None).params]


def test_fields_become_those_of_a_job():
    (params,) = image_jobs(asked(quality="hd", output_format="webp", seed=7, size="640x512"), "chaos").params
    assert ("a red circle", "chaos", "pro", "webp", 7) == (
        params.prompt,
        params.model,
        params.quality,
        params.output_format,
        params.seed,
    )
    assert (640, 512, None, ()) == (params.width, params.height, params.input_image, params.reference_images)


def test_pictures_are_the_start_and_the_references():
    edit = image_jobs(EditRequest(prompt="in velvet"), None, ["inp_1", "inp_2"]).params[0]
    assert ("in velvet", "inp_1", ("inp_2",)) == (edit.prompt, edit.input_image, edit.reference_images)
    assert "inp_1" == image_jobs(VariationRequest(), None, ["inp_1"]).params[0].input_image


def test_what_changes_nothing_is_said():
    assert ("style is ignored", "output_compression is ignored") == image_jobs(
        asked(style="vivid", output_compression=50), None
    ).warnings


def test_what_is_not_built_is_refused():
    with pytest.raises(NotSupportedYet) as refused:
        image_jobs(asked(background="transparent"), None)
    assert "$.background" == refused.value.field


def test_links_are_answered_where_that_is_usual_or_asked_for():
    assert [False, True, True, False, False] == [
        as_links(asked(**fields))
        for fields in (
            {},
            {"model": "dall-e-3"},
            {"response_format": "url"},
            {"response_format": "b64_json", "model": "dall-e-3"},
            {"model": "gpt-image-1"},
        )
    ]
