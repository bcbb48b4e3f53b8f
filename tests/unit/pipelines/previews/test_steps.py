"""The picture of a preview: small enough for an event, whatever it shows."""

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from pipelines.previews.steps import STEP_BYTES, STEP_SIDE, encode_step


@pytest.mark.parametrize("sides", [(1, 1), (32, 32), (128, 128), (256, 256), (600, 900)])
def test_noise_is_within_the_limits(sides: tuple[int, int]) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (*sides, 3), np.uint8)
    made = encode_step(pixels)
    image = Image.open(BytesIO(made))
    assert ("WEBP", "RGB") == (image.format, image.mode)
    assert max(image.size) <= STEP_SIDE
    assert len(made) <= STEP_BYTES


def test_a_smooth_picture_keeps_its_size_and_colors() -> None:
    pixels = np.full((128, 96, 3), (200, 40, 90), np.uint8)
    image = Image.open(BytesIO(encode_step(pixels)))
    assert (96, 128) == image.size
    assert np.abs(np.asarray(image).astype(int) - pixels).max() <= 8
