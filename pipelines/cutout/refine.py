"""What is done to the demo network's matte: its own picture knows more about the foreground than any training."""

import numpy as np
from PIL import Image
from scipy.ndimage import binary_dilation, label  # type: ignore[import-untyped]

from pipelines.cutout.arrays import Floats, Pixels, local_mean
from pipelines.cutout.cues import colour_bins, density

TRUST = 0.7
"""How much the colors count against what the network says."""
LIMIT = 3.0
"""The most that colors can say: so much, as a logarithm of odds."""
LEAST_PART, GAP = 0.5, 3
"""Pieces smaller than this share of the largest one are taken for background; pieces are one across a gap of so many
pixels on either side."""
WINDOW, SMOOTHNESS = 3, 1e-3
"""Of the guided filter: side of its window in pixels of the small matte, and the variance (of 0 to 1) that it takes
for flat."""


def by_colour(picture: Pixels, matte: Floats) -> Floats:
    """`matte` (side, side) after Bayes: how often a pixel's color is seen in what it calls foreground, against how
    often in the rest.
    """
    bins = colour_bins(picture)
    front, back = density(bins, matte), density(bins, 1 - matte)
    evidence = np.clip(np.log((front + 2e-4) / (back + 2e-4)), -LIMIT, LIMIT)[bins]
    sure = np.clip(matte, 1e-4, 1 - 1e-4)
    logits = np.log(sure / (1 - sure)) + TRUST * evidence
    return np.asarray(1 / (1 + np.exp(-logits)), np.float32)


def main_parts(matte: Floats) -> Floats:
    """`matte` without pieces that are small beside the largest: somebody photographs one thing, or a few alike."""
    solid = matte > 0.5
    pieces, count = label(binary_dilation(matte > 0.3, iterations=GAP))
    if count < 2:
        return matte
    sizes = np.bincount(pieces[solid], minlength=count + 1)
    kept = np.isin(pieces, np.nonzero(sizes >= max(1.0, LEAST_PART * float(sizes.max())))[0])
    return np.where(kept & (pieces > 0), matte, np.float32(0))


def enlarge(matte: Floats, picture: Image.Image) -> Pixels:
    """`matte` at the size of `picture` (RGB), 0 to 255, its edges on the picture's own.

    The fast guided filter (He and Sun, 2015): around every pixel the matte is taken for a linear function of a guide;
    its two coefficients are found on the small picture and applied to the large one. The guide is the color along the
    line from the background's mean to the foreground's, 0 to 1 on the way.
    """
    side = matte.shape[0]
    small = np.asarray(picture.resize((side, side), Image.Resampling.BOX), np.float32)
    axis, start = _line(small, matte)
    guide = (small - start) @ axis
    mean, mean_matte = local_mean(guide, WINDOW), local_mean(matte, WINDOW)
    spread = local_mean(guide * guide, WINDOW) - mean * mean + np.float32(SMOOTHNESS)
    slope = (local_mean(guide * matte, WINDOW) - mean * mean_matte) / spread
    offset = mean_matte - slope * mean
    slope_large, offset_large = (_resized(local_mean(values, WINDOW), picture.size) for values in (slope, offset))
    guided = slope_large * ((np.asarray(picture, np.float32) - start) @ axis) + offset_large
    return np.asarray(np.clip((guided - 0.05) / 0.9, 0, 1) * 255 + 0.5, np.uint8)


def _line(picture: Floats, matte: Floats) -> tuple[Floats, Floats]:
    """What to multiply a color with, after taking the second from it, to get 0 for the background and 1 for the
    foreground.
    """
    front = (picture * matte[..., None]).sum((0, 1)) / (matte.sum() + 1e-3)
    back = (picture * (1 - matte[..., None])).sum((0, 1)) / ((1 - matte).sum() + 1e-3)
    way = front - back
    return np.asarray(way / max(float(way @ way), 100.0), np.float32), np.asarray(back, np.float32)


def _resized(values: Floats, size: tuple[int, int]) -> Floats:
    return np.asarray(Image.fromarray(values).resize(size, Image.Resampling.BILINEAR))
