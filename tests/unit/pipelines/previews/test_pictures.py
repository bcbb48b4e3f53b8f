"""Thumbnails and web copies, as a browser sees them."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from jobs import previews
from pipelines.previews import pictures
from pipelines.previews.pictures import fitted, picture_previews, write_thumbnail


def quarters(width: int, height: int) -> Image.Image:
    """Red and green above, blue and white below."""
    image = Image.new("RGB", (width, height), "white")
    image.paste("red", (0, 0, width // 2, height // 2))
    image.paste("lime", (width // 2, 0, width, height // 2))
    image.paste("blue", (0, height // 2, width // 2, height))
    return image


def near(color: tuple[int, ...], image: Image.Image, x: float, y: float) -> bool:
    found = image.getpixel((int(x * image.width), int(y * image.height)))
    return bool(np.abs(np.subtract(found, color)).max() < 24)


def test_a_large_picture_has_a_thumbnail_and_a_web_copy(tmp_path: Path) -> None:
    made = picture_previews(quarters(3200, 1600), "image/png", "0", tmp_path)

    assert [("thumbnail", 320, 160), ("web", 1600, 800)] == [(each.name, each.width, each.height) for each in made]
    for preview in made:
        with Image.open(tmp_path / preview.path) as image:
            assert ("WEBP", (preview.width, preview.height), "RGB") == (image.format, image.size, image.mode)
            places = [(0.25, 0.25), (0.75, 0.25), (0.25, 0.75), (0.75, 0.75)]
            colors = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)]
            assert all(near(color, image, *place) for color, place in zip(colors, places, strict=True))


@pytest.mark.parametrize(
    ("size", "media_type", "expected"),
    [
        ((200, 100), "image/png", {"thumbnail": (200, 100), "web": (200, 100)}),
        ((800, 400), "image/webp", {"thumbnail": (320, 160)}),
        ((1600, 400), "image/jpeg", {"thumbnail": (320, 80)}),
        ((1000, 2000), "image/webp", {"thumbnail": (160, 320), "web": (800, 1600)}),
        ((5000, 2), "image/jpeg", {"thumbnail": (320, 1), "web": (1600, 1)}),
    ],
)
def test_no_copy_is_larger_than_its_picture(
    tmp_path: Path, size: tuple[int, int], media_type: str, expected: dict[str, tuple[int, int]]
) -> None:
    made = picture_previews(Image.new("RGB", size), media_type, "0", tmp_path)
    assert expected == {preview.name: (preview.width, preview.height) for preview in made}


def test_transparency_stays(tmp_path: Path) -> None:
    picture = Image.new("RGBA", (800, 800), (0, 0, 0, 0))
    picture.paste((255, 0, 0, 255), (0, 0, 400, 800))
    with Image.open(tmp_path / write_thumbnail(picture, "0", tmp_path).path) as image:
        assert "RGBA" == image.mode
        assert 255 == image.getpixel((80, 160))[3]  # type: ignore[index]
        assert 0 == image.getpixel((240, 160))[3]  # type: ignore[index]


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "CMYK", "I;16", "YCbCr"])
def test_every_kind_of_pixels_is_shown(tmp_path: Path, mode: str) -> None:
    picture = Image.new("L", (640, 480), 255).convert(mode) if mode != "I;16" else Image.new(mode, (640, 480), 255)
    assert (320, 240) == (write_thumbnail(picture, "0", tmp_path).width, write_thumbnail(picture, "0", tmp_path).height)


def test_a_thin_picture_keeps_a_pixel() -> None:
    assert (320, 1) == fitted(10_000, 1, 320)
    assert (1, 320) == fitted(1, 10_000, 320)


def test_answers_know_which_pictures_need_no_web_copy() -> None:
    assert (pictures.WEB_SIDE, pictures.WEB_PICTURES) == (previews.WEB_SIDE, previews.WEB_PICTURES)
