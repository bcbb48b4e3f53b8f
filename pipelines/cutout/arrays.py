"""Arrays that the cut-out modules share."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter  # type: ignore[import-untyped]

Pixels = NDArray[np.uint8]
"""0 to 255: height x width for a matte, height x width x 3 or 4 for an image."""
Floats = NDArray[np.float32]


def local_mean(values: NDArray[np.floating[Any]], window: int) -> Floats:
    """Return the mean around each pixel over `window` x `window` pixels, of each channel by itself."""
    size = (window, window, *(0,) * (values.ndim - 2))
    averaged: Floats = uniform_filter(values.astype(np.float32), size, mode="nearest")
    return averaged
