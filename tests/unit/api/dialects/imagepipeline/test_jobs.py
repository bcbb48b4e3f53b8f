"""What is submitted where no served model can do what was asked first."""

import asyncio
from types import SimpleNamespace

import msgspec
import pytest

from api.dialects.imagepipeline.jobs import submit_translated
from api.dialects.imagepipeline.operations import OPERATIONS
from core.errors.fields import NoCapableModel, NotThisModel
from core.settings import Settings

(EDIT,) = (operation for operation in OPERATIONS if operation.endpoint == "edit/image/v1")


class OneWay:
    """A submit endpoint whose models take no references, or not even a picture to start from."""

    settings = Settings(secret_key="a secret of the tests of 32 bytes")

    def __init__(self, *, starts: bool) -> None:
        self.starts = starts

    async def submit(self, request, params, **options):
        if params.reference_images or not self.starts:
            raise NotThisModel("`reference_images` is not supported")
        return SimpleNamespace(params=params, origin=options["origin"])


def submit(endpoint, pictures):
    body = msgspec.convert({"prompt": "in velvet", "input_image": pictures}, EDIT.body)
    return asyncio.run(submit_translated(None, EDIT, EDIT.translate(body), endpoint, None))


def test_a_picture_is_the_start_where_no_served_model_edits():
    made = submit(OneWay(starts=True), "https://shop.example/chair.png")
    assert "https://shop.example/chair.png" == made.params.input_image
    assert any("as a start" in warning for warning in made.origin.warnings)


@pytest.mark.parametrize(
    ("starts", "pictures"),
    [(True, ["https://a.example/1.png", "https://a.example/2.png"]), (False, "https://a.example/1.png")],
)
def test_what_no_served_model_can_do_is_named(starts, pictures):
    with pytest.raises(NoCapableModel) as refused:
        submit(OneWay(starts=starts), pictures)
    assert "image editing with reference images" == refused.value.capability
