"""Palettes in words, and palettes of pictures."""

import numpy as np
from PIL import Image

from pipelines.branding.colors import to_lab
from pipelines.branding.palettes import color_names, guided, in_words, palette_of


def test_colors_have_the_nearest_names_each_once():
    assert "red and navy" == in_words(("#E02030", "#E6212B", "#101F50"))
    assert "white" == in_words(("#FEFEFE",))
    assert "black, white and gold" == in_words(("#050505", "#FAFAFA", "#D4A017"))


def test_the_main_colors_of_pictures_are_named_in_order():
    picture = Image.new("RGB", (100, 100), "white")
    picture.paste((200, 30, 30), (0, 0, 30, 100))
    picture.paste((20, 30, 120), (30, 0, 34, 100))
    assert "white and red" == color_names([picture])
    assert "red and white" == color_names([picture, Image.new("RGB", (10, 10), (200, 30, 30))])


def test_a_prompt_is_followed_by_the_palette():
    assert "a chair, in red" == guided("a chair.", ("#E6212B",))


def test_a_palette_has_what_is_visible_of_a_picture():
    subject = Image.new("RGBA", (64, 64), (0, 255, 0, 0))
    subject.paste((200, 30, 30, 255), (0, 0, 40, 64))
    subject.paste((20, 30, 120, 255), (40, 0, 60, 64))
    assert {"#C81E1E", "#141E78"} <= set(palette_of(subject, "similar"))
    assert ("#808080",) == palette_of(Image.new("RGBA", (8, 8)), "similar")


def test_modes_turn_the_hues():
    subject = Image.new("RGBA", (8, 8), (150, 110, 90, 255))

    def hue(mode):
        color = bytes.fromhex(palette_of(subject, mode)[0][1:])
        _, a, b = to_lab(np.array([tuple(color)], np.uint8))[0]
        return np.degrees(np.arctan2(b, a))

    start = hue("similar")
    assert abs((hue("complementary") - start) % 360 - 180) < 5
    assert abs((hue("radical") - start) % 360 - 120) < 5
