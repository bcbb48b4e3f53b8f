"""Color statistics of an image that hint at its background; the demo network sees them beside the pixels."""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d  # type: ignore[import-untyped]

BINS = 16
"""Histogram bins per color channel."""
FRAME = 12
"""The border is one part in `FRAME` of the side, on each of the four sides."""
COUNT = 2
"""Number of planes that `cues` returns."""


def cues(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return (COUNT, side, side) planes, each about -1.5 to 1.5, for an image (side, side, 3).

    Backgrounds reach the border; objects mostly do not. The first plane says how much more often a pixel's color occurs
    in the border than in the whole image. The second says how common its color is in the border.

    This is the boundary prior of Zhu et al., "Saliency Optimization from Robust Background Detection" (CVPR 2014), with
    color histograms instead of superpixels.
    """
    side = image.shape[0]
    wide = max(1, side // FRAME)
    bins = color_bins(image)
    frame = np.zeros((side, side), np.float32)
    frame[:wide] = frame[-wide:] = frame[:, :wide] = frame[:, -wide:] = 1
    whole, border = density(bins), density(bins, frame)
    ratio = np.log((border + 1e-5) / (whole + 1e-5)) / 3
    common = np.log(border + 1e-5) / 4 + 2
    planes: NDArray[np.float32] = np.stack([ratio[bins], common[bins]]).astype(np.float32)
    return np.clip(planes, -1.5, 1.5)


def color_bins(image: NDArray[np.uint8]) -> NDArray[np.intp]:
    """Return the number of each pixel's color among `BINS` cubed."""
    red, green, blue = np.moveaxis((image // (256 // BINS)).astype(np.intp), -1, 0)
    bins: NDArray[np.intp] = (red * BINS + green) * BINS + blue
    return bins


def density(bins: NDArray[np.intp], weights: NDArray[np.float32] | None = None) -> NDArray[np.float32]:
    """Return the share of every color, smoothed over its neighbors; `weights` weigh the pixels."""
    counts = np.bincount(bins.ravel(), None if weights is None else weights.ravel(), BINS**3)
    smoothed: NDArray[np.float32] = counts.reshape(BINS, BINS, BINS).astype(np.float32)
    for axis in range(3):
        smoothed = gaussian_filter1d(smoothed, 0.7, axis=axis, mode="constant", truncate=3)
    return smoothed.ravel() / np.float32(max(1.0, float(counts.sum())))
