"""The picture of a preview of a step: a WebP that is small enough for an event. No torch."""

from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pipelines.previews.pictures import within

STEP_SIDE = 256
"""The longer side of a preview is at most this, in pixels."""
STEP_BYTES = 8900
"""A preview has at most so many bytes: its `data:` URL then has less than 12,000 characters."""
_QUALITIES = (75, 50, 25)


def encode_step(pixels: NDArray[np.uint8]) -> bytes:
    """Return height x width x 3 as a WebP of at most `STEP_SIDE` pixels and `STEP_BYTES` bytes."""
    image, side = Image.fromarray(pixels), STEP_SIDE
    while True:
        shown = within(image, side)
        for quality in _QUALITIES:
            file = BytesIO()
            shown.save(file, "WEBP", quality=quality, method=0)
            if file.tell() <= STEP_BYTES:
                return file.getvalue()
        side //= 2
