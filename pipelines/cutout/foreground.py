"""The foreground's own colors at its edge, where every pixel of the picture has some background mixed in."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pipelines.cutout.arrays import Floats, Pixels, local_mean

WORK_SIDE = 1024
"""Edge colors vary slowly: they are estimated on at most this side."""
WINDOWS = (91, 13)
"""Sides of the two averaging windows, in pixels of the reduced picture."""


def clean_edges(picture: Pixels, matte: Pixels) -> Pixels:
    """`picture` (height, width, 3) with the background's color taken out of every pixel of the edge.

    Only pixels where `matte` (height, width) is neither 0 nor 255 change, and those at 0 become black, so that
    nothing of the background stays in the file. Blur fusion, after Forte, "Approximate Fast Foreground Color
    Estimation" (ICIP 2021): the foreground's and the background's color are local means, weighted by the matte,
    and what they do not explain of a pixel is given to the foreground in proportion to its share.
    """
    large = Image.fromarray(picture)
    small = large.copy()
    small.thumbnail((WORK_SIDE, WORK_SIDE), Image.Resampling.BOX)
    share = _floats(Image.fromarray(matte).resize(small.size, Image.Resampling.BOX))
    front, back = _estimate(_floats(small), share[..., None])
    cleaned = picture.copy()
    cleaned[matte == 0] = 0
    rows, columns = np.nonzero((matte > 0) & (matte < 255))
    alpha = _floats(matte[rows, columns, None])
    near, behind = (_at(values, large.size, rows, columns) for values in (front, back))
    seen = _floats(picture[rows, columns])
    fused = near + alpha * (seen - alpha * near - (1 - alpha) * behind)
    cleaned[rows, columns] = (np.clip(fused, 0, 1) * 255 + 0.5).astype(np.uint8)
    return cleaned


def _estimate(picture: Floats, alpha: Floats) -> tuple[Floats, Floats]:
    """Foreground and background of every pixel, first from far around, then from close by."""
    front = back = picture
    for window in WINDOWS:
        behind = 1 - alpha
        front_mean = local_mean(front * alpha, window) / (local_mean(alpha, window) + 1e-5)
        back_mean = local_mean(back * behind, window) / (local_mean(behind, window) + 1e-5)
        front = np.clip(front_mean + alpha * (picture - alpha * front_mean - behind * back_mean), 0, 1)
        back = back_mean
    return front, back


def _at(values: Floats, size: tuple[int, int], rows: NDArray[np.intp], columns: NDArray[np.intp]) -> Floats:
    """A reduced picture's values at pixels of the whole one, as 0 to 1."""
    reduced = Image.fromarray((values * 255 + 0.5).astype(np.uint8))
    return _floats(np.asarray(reduced.resize(size, Image.Resampling.BILINEAR))[rows, columns])


def _floats(picture: Image.Image | Pixels) -> Floats:
    return np.asarray(picture, np.float32) / np.float32(255)
