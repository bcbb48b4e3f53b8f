"""A logo in a corner."""

import numpy as np
import pytest
from PIL import Image

from pipelines.branding.logo import MARGIN, SHARE, logo_place, stamp


def changed(corner, size=(200, 100), logo=(500, 500)):
    picture = Image.new("RGB", size, (0, 0, 100))
    made = np.asarray(stamp(picture, Image.new("RGBA", logo, (200, 200, 100, 255)), corner))
    return made, np.nonzero(made[..., 0])


@pytest.mark.parametrize("corner", ["bottom_right", "bottom_left", "top_right", "top_left"])
def test_a_logo_is_small_and_near_its_corner(corner):
    made, (rows, columns) = changed(corner)
    side = round(100 * SHARE)
    assert (side, side) == (np.ptp(rows) + 1, np.ptp(columns) + 1)
    assert ("bottom" in corner) == (rows.min() > 50)
    assert ("right" in corner) == (columns.min() > 100)
    assert (100, 100, 100) == tuple(made[rows[0], columns[0]])


def test_a_small_logo_keeps_its_size():
    _, (rows, columns) = changed("top_left", logo=(5, 3))
    assert (3, 5) == (np.ptp(rows) + 1, np.ptp(columns) + 1)


def test_transparent_parts_of_a_logo_change_nothing():
    picture = Image.new("RGBA", (50, 50), (1, 2, 3, 4))
    made = stamp(picture, Image.new("RGBA", (10, 10), (255, 255, 255, 0)), "top_left")
    assert ("RGBA", picture.tobytes()) == (made.mode, made.tobytes())


def test_the_margin_is_of_the_shorter_side():
    margin = round(100 * MARGIN)
    assert (300 - 10 - margin, 100 - 20 - margin) == logo_place((300, 100), (10, 20), "bottom_right")
