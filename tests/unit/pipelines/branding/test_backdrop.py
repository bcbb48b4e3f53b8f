"""A cut-out over a color with its shadow, and over a picture."""

import numpy as np
from PIL import Image

from pipelines.branding.backdrop import Shadow, on_color, over

SHADOW = Shadow(opacity=0.5, blur=0.0, dx=0.25, dy=0.0)


def cutout():
    image = Image.new("RGBA", (40, 40))
    image.paste((200, 0, 0, 255), (10, 10, 20, 20))
    return image


def test_a_shadow_is_dark_beside_the_subject_and_below_it():
    made = np.asarray(on_color(cutout(), "#F0F0F0", SHADOW))
    assert ((200, 0, 0), (240, 240, 240)) == (tuple(made[15, 15]), tuple(made[15, 5]))
    assert (120, 120, 120) == tuple(made[15, 25])


def test_a_blur_makes_a_shadow_soft():
    soft = Shadow(opacity=0.5, blur=0.05, dx=0.25, dy=0.0)
    row = np.asarray(on_color(cutout(), "#FFFFFF", soft))[15, 20:40, 0].astype(int)
    assert 4 < len(set(row))
    assert (np.diff(row) >= -1).sum() > 10


def test_a_subject_keeps_its_pixels_over_another_picture():
    made = over(cutout(), Image.new("RGB", (300, 100), (0, 0, 255)))
    pixels = np.asarray(made)
    assert ((40, 40), "RGB") == (made.size, made.mode)
    assert ((200, 0, 0), (0, 0, 255)) == (tuple(pixels[15, 15]), tuple(pixels[0, 0]))
