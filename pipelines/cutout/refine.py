"""Refinement of the demo network's matte by the colors of the image itself."""

import numpy as np
from PIL import Image
from scipy.ndimage import binary_dilation, label  # type: ignore[import-untyped]

from pipelines.cutout.arrays import Floats, Pixels, local_mean
from pipelines.cutout.cues import color_bins, density

TRUST = 0.7
"""Weight of the colors against the network's matte."""
LIMIT = 3.0
"""Largest evidence of the colors, as a logarithm of odds."""
MIN_PART, GAP = 0.5, 3
"""Parts smaller than this share of the largest part count as background. Parts are one across a gap of `GAP` pixels on
either side."""
WINDOW, SMOOTHNESS = 3, 1e-3
"""Of the guided filter: the side of its window in pixels of the small matte, and the variance (of 0 to 1) that counts
as flat."""
SURE = 0.1, 0.3
"""Below and above these shares of the third network, its opacity counts nowhere and wholly."""


def weigh_by_color(image: Pixels, matte: Floats) -> Floats:
    """Return `matte` (side, side) after Bayes' rule on colors.

    The evidence is how often a pixel's color occurs in the foreground of the matte, against how often in the rest.
    """
    bins = color_bins(image)
    front, back = density(bins, matte), density(bins, 1 - matte)
    evidence = np.clip(np.log((front + 2e-4) / (back + 2e-4)), -LIMIT, LIMIT)[bins]
    sure = np.clip(matte, 1e-4, 1 - 1e-4)
    logits = np.log(sure / (1 - sure)) + TRUST * evidence
    return np.asarray(1 / (1 + np.exp(-logits)), np.float32)


def keep_main_parts(matte: Floats) -> Floats:
    """Return `matte` without parts that are small beside the largest: photos show one object, or a few alike."""
    solid = matte > 0.5
    parts, count = label(binary_dilation(matte > 0.3, iterations=GAP))
    if count < 2:
        return matte
    sizes = np.bincount(parts[solid], minlength=count + 1)
    kept = np.isin(parts, np.nonzero(sizes >= max(1.0, MIN_PART * float(sizes.max())))[0])
    return np.where(kept & (parts > 0), matte, np.float32(0))


def enlarge(matte: Floats, image: Image.Image) -> Pixels:
    """Return `matte` at the size of `image` (RGB), 0 to 255, with its edges on those of the image.

    The fast guided filter (He and Sun, 2015): around every pixel the matte is a linear function of a guide. Its two
    coefficients are found on the small image and applied to the large one. The guide is the color along the line from
    the background's mean (0) to the foreground's mean (1).
    """
    side = matte.shape[0]
    small = np.asarray(image.resize((side, side), Image.Resampling.BOX), np.float32)
    axis, start = _line(small, matte)
    guide = (small - start) @ axis
    mean, mean_matte = local_mean(guide, WINDOW), local_mean(matte, WINDOW)
    spread = local_mean(guide * guide, WINDOW) - mean * mean + np.float32(SMOOTHNESS)
    slope = (local_mean(guide * matte, WINDOW) - mean * mean_matte) / spread
    offset = mean_matte - slope * mean
    slope_large, offset_large = (_resized(local_mean(values, WINDOW), image.size) for values in (slope, offset))
    guided = slope_large * ((np.asarray(image, np.float32) - start) @ axis) + offset_large
    return np.asarray(np.clip((guided - 0.05) / 0.9, 0, 1) * 255 + 0.5, np.uint8)


def see_through(solid: Pixels, opacity: Floats, image: Image.Image) -> Pixels:
    """Return the matte `solid` (height x width) with the opacity of the third network where it is sure of itself.

    `opacity` (5, side, side) is its share, 0 to 1, and a linear function of the color, 0 to 1, around each pixel of the
    image that it saw: three slopes and an offset. The colors are those of `image` (RGB), so strands that a smaller one
    lost are found again.
    """
    share, *slopes, found = (_resized(plane, image.size) for plane in opacity)
    colors = np.asarray(image, np.float32) / np.float32(255)
    for channel, slope in enumerate(slopes):
        found = np.add(found, slope * colors[..., channel], dtype=np.float32)
    counted = np.clip((share - SURE[0]) / (SURE[1] - SURE[0]), 0, 1)
    return np.asarray(solid + counted * (np.clip(found, 0, 1) * 255 - solid) + 0.5, np.uint8)


def _line(image: Floats, matte: Floats) -> tuple[Floats, Floats]:
    """Return (axis, start): `(color - start) @ axis` is 0 for the background and 1 for the foreground."""
    front = (image * matte[..., None]).sum((0, 1)) / (matte.sum() + 1e-3)
    back = (image * (1 - matte[..., None])).sum((0, 1)) / ((1 - matte).sum() + 1e-3)
    way = front - back
    return np.asarray(way / max(float(way @ way), 100.0), np.float32), np.asarray(back, np.float32)


def _resized(values: Floats, size: tuple[int, int]) -> Floats:
    return np.asarray(Image.fromarray(values).resize(size, Image.Resampling.BILINEAR))
