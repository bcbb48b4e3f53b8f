from pathlib import Path

import pytest
from PIL import Image

from core.errors.fields import NotThisModel, OutOfRange
from pipelines.catalog.spec import ModelSpec
from pipelines.image.inputs import fit_reference, gather_images, read_image
from pipelines.runtime.protocol import Inputs
from tests.support.checkpoints.specs import spec

EDITOR = spec(capabilities=["references"], limits={"max_references": 3})
BOTH = spec(capabilities=["text-to-image", "image-to-image", "references"], limits={"max_references": 12})


def inputs(folder: Path, *names: str) -> Inputs:
    """An image of its own color for each name, in the order of `Inputs.files` that a worker happens to have."""
    files = {}
    for number, name in enumerate(names):
        files[name] = folder / f"{number}.png"
        Image.new("RGB", (64, 64), (number, 0, 0)).save(files[name])
    return Inputs(files)


def reds(images: tuple[Image.Image, ...]) -> list[object]:
    return [image.getpixel((0, 0)) for image in images]


class TestGather:
    def test_nothing(self) -> None:
        images = gather_images(spec(), Inputs())

        assert (None, ()) == (images.start, images.references)

    def test_references_are_in_the_order_of_their_numbers(self, tmp_path: Path) -> None:
        images = gather_images(BOTH, inputs(tmp_path, *(f"reference_images.{n}" for n in (10, 2, 0))))

        assert [(2, 0, 0), (1, 0, 0), (0, 0, 0)] == reds(images.references)

    def test_a_model_that_starts_from_images_starts_from_it(self, tmp_path: Path) -> None:
        images = gather_images(BOTH, inputs(tmp_path, "reference_images.0", "input_image"))

        assert images.start is not None
        assert (1, 0, 0) == images.start.getpixel((0, 0))
        assert [(0, 0, 0)] == reds(images.references)

    def test_an_editor_has_it_for_its_first_reference(self, tmp_path: Path) -> None:
        images = gather_images(EDITOR, inputs(tmp_path, "reference_images.0", "input_image"))

        assert images.start is None
        assert [(1, 0, 0), (0, 0, 0)] == reds(images.references)

    def test_more_than_the_model_looks_at(self, tmp_path: Path) -> None:
        names = ("input_image", *(f"reference_images.{n}" for n in range(3)))

        with pytest.raises(OutOfRange, match="at most 3 entries"):
            gather_images(EDITOR, inputs(tmp_path, *names))

    @pytest.mark.parametrize(
        ("model", "names", "field"),
        [
            (spec(), ["input_image"], "$.input_image"),
            (spec(), ["reference_images.0"], "$.reference_images"),
        ],
    )
    def test_a_model_of_another_kind(self, tmp_path: Path, model: ModelSpec, names: list[str], field: str) -> None:
        with pytest.raises(NotThisModel) as caught:
            gather_images(model, inputs(tmp_path, *names))

        assert field == caught.value.field


class TestReadImage:
    @pytest.mark.parametrize("mode", ["RGBA", "LA"])
    def test_what_is_transparent_becomes_white(self, tmp_path: Path, mode: str) -> None:
        Image.new(mode, (4, 4), (0,) * len(mode)).save(tmp_path / "a.png")

        assert [(16, (255, 255, 255))] == read_image(tmp_path / "a.png").getcolors()

    def test_only_png(self, tmp_path: Path) -> None:
        Image.new("RGB", (4, 4)).save(tmp_path / "a.png", "BMP")

        with pytest.raises(OSError, match="identify"):
            read_image(tmp_path / "a.png")


class TestPresentable:
    @pytest.mark.parametrize("size", [(64, 64), (512, 64), (3000, 2000)])
    def test_most_stay_as_they_are(self, size: tuple[int, int]) -> None:
        image = Image.new("RGB", size)

        assert image is fit_reference(image)

    @pytest.mark.parametrize("size", [(1, 1), (8192, 1), (1, 8192), (20, 30), (513, 64), (8191, 1000), (65, 7)])
    def test_the_others_are_bordered_and_enlarged(self, size: tuple[int, int]) -> None:
        width, height = fit_reference(Image.new("RGB", size)).size

        assert 64 <= min(width, height)
        assert max(width, height) <= 8 * min(width, height)

    def test_borders_are_white_and_the_image_is_in_the_middle(self) -> None:
        image = fit_reference(Image.new("RGB", (1600, 100), "red"))

        assert (1600, 200) == image.size
        assert ((255, 255, 255), (255, 0, 0)) == (image.getpixel((0, 0)), image.getpixel((800, 100)))
