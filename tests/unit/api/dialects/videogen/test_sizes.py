"""Pixels of a ratio: as near to it as the model's step allows."""

import pytest

from api.dialects.videogen.schema import AspectRatio
from api.dialects.videogen.sizes import IMAGE_SIDES, VIDEO_SIDES, size_of


@pytest.mark.contract("D4")
@pytest.mark.parametrize(
    ("ratio", "image", "video"),
    [
        (None, (1024, 576), (896, 512)),
        ((16, 9), (1024, 576), (896, 512)),
        ((9, 16), (576, 1024), (512, 896)),
        ((1, 1), (1024, 1024), (672, 672)),
        ((4, 3), (1024, 768), (768, 576)),
        ((1920, 1080), (1024, 576), (896, 512)),
        ((10_000, 1), (1024, 64), (1536, 64)),
        ((1, 10_000), (64, 1024), (64, 1536)),
    ],
)
def test_a_ratio_becomes_sides(ratio, image, video):
    ratio = ratio and AspectRatio(*ratio)
    assert (image, video) == (size_of(ratio, IMAGE_SIDES), size_of(ratio, VIDEO_SIDES))
