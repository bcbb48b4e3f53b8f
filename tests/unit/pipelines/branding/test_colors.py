"""CIELAB, the distance to a palette, and the transfer of colors."""

import numpy as np
import pytest
from PIL import Image

from pipelines.branding.colors import palette_distance, to_lab, to_rgb, transfer

PALETTE = ("#D62828", "#003049")


def noise(mode="RGB"):
    channels = len(mode)
    return Image.fromarray(np.random.default_rng(1).integers(0, 256, (64, 64, channels), np.uint8), mode)


@pytest.mark.parametrize(
    ("rgb", "lab"),
    [
        ((255, 255, 255), (100, 0, 0)),
        ((0, 0, 0), (0, 0, 0)),
        ((255, 0, 0), (53.24, 80.09, 67.20)),
        ((0, 0, 255), (32.30, 79.19, -107.86)),
    ],
)
def test_known_colors_have_their_published_values(rgb, lab):
    assert np.allclose(lab, to_lab(np.array(rgb, np.uint8)), atol=0.05)


def test_colors_come_back_from_cielab():
    colors = np.asarray(noise())
    assert np.abs(to_rgb(to_lab(colors)).astype(int) - colors).max() <= 1


def test_a_color_of_the_palette_has_no_distance():
    assert 0 == palette_distance(Image.new("RGB", (8, 8), "#D62828"), PALETTE)


def test_transparent_pixels_do_not_count():
    image = Image.new("RGBA", (8, 8), (0, 255, 0, 0))
    image.paste((214, 40, 40, 255), (0, 0, 4, 8))
    assert 0 == palette_distance(image, PALETTE)


@pytest.mark.parametrize("palette", [PALETTE, ("#00FF00",), ("#101010", "#F5F5F5", "#D4A017")])
def test_a_transfer_brings_colors_nearer(palette):
    image = noise()
    assert palette_distance(transfer(image, palette), palette) < palette_distance(image, palette)


def test_a_transfer_keeps_transparency_and_order_of_lightness():
    image = noise("RGBA")
    made = transfer(image, PALETTE)
    assert np.array_equal(np.asarray(image.getchannel("A")), np.asarray(made.getchannel("A")))
    ramp = Image.fromarray(np.tile(np.arange(0, 256, dtype=np.uint8)[None, :, None], (4, 1, 3)))
    lightness = to_lab(np.asarray(transfer(ramp, PALETTE)))[0, :, 0]
    assert (np.diff(lightness) > -0.5).all()
