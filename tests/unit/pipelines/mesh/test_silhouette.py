"""Where the object is in an image."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from core.errors.inputs import InputUnreadable
from pipelines.mesh.fill import nearest_known
from pipelines.mesh.silhouette import GUESSED, cutout_of, unlike_border


def save(folder: Path, pixels: np.ndarray) -> Path:
    Image.fromarray(pixels).save(folder / "picture.png")
    return folder / "picture.png"


def square(alpha: int = 255, ground: int = 0) -> np.ndarray:
    """A red square of 20 x 30 within 60 x 80."""
    pixels = np.zeros((60, 80, 4), np.uint8)
    pixels[..., 3] = ground
    pixels[10:30, 40:70] = (200, 0, 0, alpha)
    return pixels


@pytest.mark.parametrize("alpha", [255, 128, 9])
def test_a_cutout_is_cropped_to_what_is_seen(tmp_path: Path, alpha: int) -> None:
    cutout = cutout_of(save(tmp_path, square(alpha)))

    assert (20, 30) == cutout.alpha.shape
    assert {alpha} == set(cutout.alpha.ravel())
    assert ((200, 0, 0) == cutout.colors).all()
    assert () == cutout.warnings


def test_dust_is_no_part_of_the_object(tmp_path: Path) -> None:
    pixels = square(ground=3)
    pixels[55, 5, 3] = 255
    assert (20, 30) == cutout_of(save(tmp_path, pixels)).alpha.shape


def test_the_colors_go_on_beyond_the_edge(tmp_path: Path) -> None:
    image = Image.new("RGBA", (64, 64), (0, 255, 0, 0))
    ImageDraw.Draw(image).ellipse((10, 10, 50, 50), fill=(200, 0, 0, 255))
    image.save(tmp_path / "disc.png")

    assert ((200, 0, 0) == cutout_of(tmp_path / "disc.png").colors).all()


@pytest.mark.long
def test_a_large_image_is_reduced(tmp_path: Path) -> None:
    pixels = np.full((1500, 3000, 4), 255, np.uint8)
    pixels[0, 0, 3] = 0
    cutout = cutout_of(save(tmp_path, pixels))

    assert (512, 1024) == cutout.alpha.shape
    assert (512, 1024, 3) == cutout.colors.shape


@pytest.mark.parametrize("alpha", [0, 7])
def test_a_transparent_image_has_no_object(tmp_path: Path, alpha: int) -> None:
    with pytest.raises(InputUnreadable, match="no object"):
        cutout_of(save(tmp_path, np.full((40, 40, 4), alpha, np.uint8)))


@pytest.mark.parametrize("color", [0, 255, 128])
def test_an_image_of_one_color_has_no_object(tmp_path: Path, color: int) -> None:
    with pytest.raises(InputUnreadable, match="no object"):
        cutout_of(save(tmp_path, np.full((40, 40, 3), color, np.uint8)))


def test_an_opaque_image_is_cut_by_its_border_with_a_warning(tmp_path: Path) -> None:
    pixels = np.full((60, 80, 3), (220, 225, 230), np.uint8)
    pixels[10:30, 40:70] = (200, 0, 0)
    cutout = cutout_of(save(tmp_path, pixels))

    assert (20, 30) == cutout.alpha.shape
    assert (GUESSED,) == cutout.warnings


def test_the_whole_image_can_be_the_object(tmp_path: Path) -> None:
    cutout = cutout_of(save(tmp_path, square()[..., :3]), whole=True)

    assert (60, 80) == cutout.alpha.shape
    assert () == cutout.warnings


def test_a_noisy_border_hides_nothing_and_shows_nothing() -> None:
    noise = np.random.default_rng(1).integers(0, 40, (50, 50, 3), dtype=np.uint8)
    noise[20:30, 20:30] = 255
    found = unlike_border(noise)

    assert (255 == found[20:30, 20:30]).all()
    assert (found > 0).mean() < 0.08


def test_the_nearest_known_pixel_is_taken() -> None:
    line = np.arange(10, dtype=np.uint8)[None, :, None]
    known = np.zeros((1, 10), bool)
    known[0, [2, 7]] = True

    assert [2, 2, 2, 2, 2, 7, 7, 7, 7, 7] == nearest_known(line, known)[0, :, 0].tolist()
    assert nearest_known(line, np.zeros((1, 10), bool)) is line
