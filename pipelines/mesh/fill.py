"""Unseen pixels, filled from the nearest seen ones."""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt  # type: ignore[import-untyped]


def nearest_known(colors: NDArray[np.uint8], known: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Return `colors` with every pixel that is not `known` like the nearest one that is.

    `colors` is height x width x channels. Where nothing is known it stays as it is.
    """
    if known.all() or not known.any():
        return colors
    rows, columns = distance_transform_edt(~known, return_distances=False, return_indices=True)
    filled: NDArray[np.uint8] = colors[rows, columns]
    return filled
