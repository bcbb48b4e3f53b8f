"""What is repainted under a mask: the pixels of diffusers' own pipeline, and the masks that are refused."""

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from PIL import Image

from core.errors.failures import ModelLoadFailed
from core.errors.fields import NotThisModel
from jobs.params.image import Padding
from pipelines.image.inputs import read_mask
from pipelines.runtime.protocol import Inputs
from tests.support.checkpoints.image_runs import image, loaded, repainted, run, save_image, transparent, white

MASKED = ("zimage", "sdxl", "qwenimage", "flux2klein")
BOX = (16, 8, 48, 40)
"""What is transparent in the mask."""
PADDING = Padding(left=32, right=32)


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    return save_image(tmp_path / "picture.png", 64, 64)


def save_mask(file: Path, size: tuple[int, int] = (64, 64)) -> Path:
    transparent(BOX, size).save(file)
    return file


@pytest.mark.matrix
@pytest.mark.parametrize("strength", [None, 0.7])
@pytest.mark.parametrize("name", MASKED)
def test_a_masked_picture_has_the_pixels_of_diffusers(
    weights_dir: Path, picture: Path, tmp_path: Path, name: str, strength: float | None
) -> None:
    inputs = Inputs({"input_image": picture, "mask": save_mask(tmp_path / "mask.png")})
    pipeline = loaded(name, weights_dir)

    made = image(pipeline, 2, inputs, **({} if strength is None else {"strength": strength}))

    with Image.open(picture) as opened:
        expected = repainted(weights_dir / name, opened.convert("RGB"), white(BOX), 2, strength=strength or 1.0)
    assert np.array_equal(expected, made)


@pytest.mark.long
def test_each_image_of_a_job_is_the_one_made_alone(weights_dir: Path, picture: Path, tmp_path: Path) -> None:
    inputs = Inputs({"input_image": picture, "mask": save_mask(tmp_path / "mask.png")})
    pipeline = loaded("zimage", weights_dir, batch={"images": 4})
    two = list(run(pipeline, 2, inputs, num_images=2).arrays.values())
    assert all(np.array_equal(image(pipeline, 2 + number, inputs), made) for number, made in enumerate(two))


@pytest.mark.matrix
@pytest.mark.contract("F2")
@pytest.mark.parametrize("has_mask", [False, True], ids=["padding", "padding and mask"])
@pytest.mark.parametrize("name", MASKED)
def test_a_padded_picture_has_the_pixels_of_diffusers(
    weights_dir: Path, picture: Path, tmp_path: Path, name: str, has_mask: bool
) -> None:
    masks = {"mask": save_mask(tmp_path / "mask.png")} if has_mask else {}

    made = image(
        loaded(name, weights_dir), 2, Inputs({"input_image": picture, **masks}), padding=PADDING, width=128, height=128
    )

    with Image.open(picture) as opened:
        padded = np.pad(np.asarray(opened.convert("RGB")), ((0, 0), (32, 32), (0, 0)), mode="edge")
    mask = np.full((64, 128), 255, np.uint8)
    mask[:, 32:96] = 0
    if has_mask:
        mask[BOX[1] : BOX[3], BOX[0] + 32 : BOX[2] + 32] = 255
    size = {"width": 128, "height": 64}
    expected = repainted(weights_dir / name, Image.fromarray(padded), Image.fromarray(mask), 2, strength=1.0, **size)
    assert (64, 128, 3) == made.shape
    assert np.array_equal(expected, made)


@pytest.mark.contract("F2")
def test_what_is_new_has_the_shape_within_the_sides(weights_dir: Path, tmp_path: Path) -> None:
    inputs = Inputs({"input_image": save_image(tmp_path / "picture.png", 128, 64)})
    made = image(loaded("zimage", weights_dir), 2, inputs, padding=Padding(top=64, bottom=64), width=96, height=96)
    assert (96, 64, 3) == made.shape


@pytest.mark.long
def test_klein_sees_references_beside_what_it_repaints(weights_dir: Path, picture: Path, tmp_path: Path) -> None:
    files = {"input_image": picture, "mask": save_mask(tmp_path / "mask.png")}
    for number in range(2):
        files[f"reference_images.{number}"] = save_image(tmp_path / f"{number}.png", 80, 64, seed=number + 1)

    made = image(loaded("flux2klein", weights_dir), 2, Inputs(files))

    start, first, second = (Image.open(file) for name, file in files.items() if name != "mask")
    expected = repainted(
        weights_dir / "flux2klein", start, white(BOX), 2, strength=1.0, image_reference=[first, second]
    )
    assert np.array_equal(expected, made)
    assert not np.array_equal(expected, repainted(weights_dir / "flux2klein", start, white(BOX), 2, strength=1.0))


def test_klein_repaints_so_many_pixels_at_most(weights_dir: Path, picture: Path) -> None:
    """The pipeline of diffusers makes what is larger smaller by itself; here it is that much of a megapixel."""
    pipeline: Any = loaded("flux2klein", weights_dir)
    assert 1024**2 == pipeline.inpaint_call.most_pixels
    pipeline.inpaint_call = msgspec.structs.replace(pipeline.inpaint_call, most_pixels=64 * 32)

    made = run(pipeline, 2, Inputs({"input_image": picture}), padding=PADDING, width=128, height=64)

    assert (64, 32) == (made.metadata["made_width"], made.metadata["made_height"])
    assert (64, 128, 3) == made.arrays["0"].shape
    assert ("flux2klein repaints 2,048 pixels at most; made 64x32; resized to 128x64",) == made.warnings


def test_a_padding_without_a_painter_is_refused(weights_dir: Path, picture: Path) -> None:
    pipeline = loaded("qwenedit", weights_dir)
    with pytest.raises(NotThisModel, match="`padding` is not supported by qwenedit"):
        image(pipeline, 2, Inputs({"input_image": picture}), padding=PADDING)


def test_what_is_transparent_is_repainted(tmp_path: Path) -> None:
    mask = np.asarray(read_mask(save_mask(tmp_path / "mask.png")))
    expected = np.zeros((64, 64), np.uint8)
    expected[BOX[1] : BOX[3], BOX[0] : BOX[2]] = 255
    assert np.array_equal(expected, mask)


def test_a_pipeline_that_cannot_repaint_does_not_load(weights_dir: Path) -> None:
    with pytest.raises(ModelLoadFailed, match="cannot repaint under a mask"):
        loaded("qwenedit", weights_dir, capabilities=["references", "mask"])
