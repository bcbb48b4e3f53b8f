"""Pictures with a padding: the pixels around them, the mask of what is new, and the size within the sides asked for."""

import numpy as np
import pytest
from PIL import Image

from jobs.params.image import Padding
from pipelines.image.outpaint import extend_image, extend_mask, extended_size, size_within

PADDING = Padding(left=1, top=2, right=3)


@pytest.mark.contract("F2")
def test_the_nearest_edge_goes_on_beyond_the_sides():
    pixels = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    made = np.asarray(extend_image(Image.fromarray(pixels), PADDING))
    assert (4, 6, 3) == made.shape
    assert np.array_equal(pixels, made[2:, 1:3])
    assert (made[:2] == made[2]).all()
    assert (made[:, 0] == made[:, 1]).all()
    assert (made[:, 3:] == made[:, 2:3]).all()


@pytest.mark.contract("F2")
def test_all_of_the_padding_is_painted():
    own = Image.fromarray(np.array([[0, 255], [0, 0]], np.uint8))
    for mask, inside in ((None, [[0, 0], [0, 0]]), (own, [[0, 255], [0, 0]])):
        made = np.asarray(extend_mask(mask, (2, 2), PADDING))
        assert inside == made[2:, 1:3].tolist()
        assert 255 * (24 - 4) + np.sum(inside) == made.sum()


@pytest.mark.parametrize(
    ("size", "most", "made"),
    [
        ((800, 600), (1024, 1024), (800, 600)),
        ((2048, 1024), (1024, 1024), (1024, 512)),
        ((2048, 1024), (1024, 256), (512, 256)),
        ((4000, 1), (1024, 1024), (1024, 1)),
    ],
)
def test_a_picture_keeps_its_shape_and_grows_no_larger(size, most, made):
    assert made == size_within(size, most)
    assert (size[0] + 4, size[1] + 2) == extended_size(size, PADDING)
