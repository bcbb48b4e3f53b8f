"""Pictures before they are traced: at most so large, of so many colors, and so busy that tracing them is bounded.

Tracing is one call of a library that cannot be interrupted, whose time and output grow with the boundaries between
colors. So these are counted before, and a picture that has too many is made smaller, which averages its grain.
"""

from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pipelines.image.flatten import flatten_on_white

Pixels = NDArray[np.uint8]

MAX_SIDE = 2048
MAX_BOUNDARIES = 600_000
"""Neighbors of different color; noise of 512x512 has as many, and takes two seconds of a core."""
SAMPLE_SIDE = 256
"""Pixels, of the longer side, of the sample from which colors are chosen: its cost grows faster than its size."""
OPAQUE = 128
"""From this opacity on, of 255, a pixel is there: a shape is opaque."""


class Picture(msgspec.Struct, frozen=True):
    """A picture as RGBA of at most `MAX_SIDE`, each pixel opaque or transparent, and its own width and height."""

    pixels: Pixels
    size: tuple[int, int]


def read_picture(file: Path, *, is_flat: bool) -> Picture:
    """Return the picture of a clean copy; with `is_flat` its transparent parts show white."""
    with Image.open(file, formats=("PNG",)) as opened:
        image = (flatten_on_white(opened) if is_flat else opened).convert("RGBA")
    size = image.size
    image.thumbnail((MAX_SIDE, MAX_SIDE), Image.Resampling.LANCZOS, reducing_gap=2.0)
    return Picture(_with_hard_edges(np.array(image)), size)


def halved(pixels: Pixels) -> Pixels:
    """Return the picture at half its size, each pixel the mean of four."""
    height, width = pixels.shape[:2]
    small = Image.fromarray(pixels).resize((max(1, width // 2), max(1, height // 2)), Image.Resampling.BOX)
    return _with_hard_edges(np.array(small))


def reduce_colors(pixels: Pixels, colors: int) -> Pixels:
    """Return the picture in at most so many colors, those that cover most of it, without dithering."""
    image = Image.fromarray(np.ascontiguousarray(pixels[..., :3]))
    sample = image.copy()
    sample.thumbnail((SAMPLE_SIDE, SAMPLE_SIDE), Image.Resampling.NEAREST)
    palette = sample.quantize(colors, method=Image.Quantize.MAXCOVERAGE, kmeans=3)
    reduced = image.quantize(palette=palette, dither=Image.Dither.NONE).convert("RGB")
    return np.dstack([np.asarray(reduced), pixels[..., 3]])


def gray(pixels: Pixels) -> Pixels:
    """Return the picture in black and white: what is darker than middle gray, and what is not."""
    light = np.asarray(Image.fromarray(pixels).convert("L")) >= OPAQUE
    return np.dstack([np.repeat((light * 255).astype(np.uint8)[..., None], 3, axis=2), pixels[..., 3]])


def count_boundaries(pixels: Pixels, precision: int) -> int:
    """Return how many neighbors differ in the upper `precision` bits of a channel."""
    seen = pixels >> (8 - precision)
    neighbors = (seen[1:], seen[:-1]), (seen[:, 1:], seen[:, :-1])
    return sum(int((one != other).any(axis=2).sum()) for one, other in neighbors)


def palette_of(pixels: Pixels) -> NDArray[np.int32]:
    """Return the colors of the opaque pixels, n x 3."""
    return np.unique(pixels[pixels[..., 3] > 0][:, :3], axis=0).astype(np.int32)


def _with_hard_edges(pixels: Pixels) -> Pixels:
    pixels[..., 3] = np.where(pixels[..., 3] < OPAQUE, 0, 255)
    return pixels
