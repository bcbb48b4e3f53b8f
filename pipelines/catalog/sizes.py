"""Sizes: what callers ask for by a ratio or a word, and the nearest that is made. No torch, no numpy."""

from collections.abc import Iterable
from math import log

Size = tuple[int, int]
"""(width, height) in pixels."""
IMAGE_SIDES, VIDEO_SIDES = (64, 1024), (64, 1536)
"""The shortest and the longest side of an image for clients of other services, and of a video."""
VIDEO_STEP = 32
"""Sides of a video are multiples of it."""


def parse_pair(text: str, separator: str) -> tuple[float, float]:
    """Return the two numbers of `1024x768` or `16:9`."""
    first, _, second = text.partition(separator)
    return float(first), float(second)


def fit_sides(width: float, height: float, sides: tuple[int, int], step: int) -> Size:
    """Return width and height between the two `sides`, multiples of `step`, in the same ratio as far as that allows."""
    least, most = sides
    scale = min(1.0, most / max(width, height))
    scale = max(scale, min(least / min(width, height), most / max(width, height)))
    return (
        min(max(round(width * scale / step) * step, least), most),
        min(max(round(height * scale / step) * step, least), most),
    )


def nearest_size(sizes: Iterable[Size], asked: tuple[float, float]) -> Size:
    """Return the size that is nearest to the one `asked`: in shape first, then in area."""
    return min(sizes, key=lambda size: (shape_distance(size, asked), abs(log(size[0] * size[1] / asked[0] / asked[1]))))


def shape_distance(size: tuple[float, float], asked: tuple[float, float]) -> float:
    """Return how far the ratios of the sides are apart: 0 for the same one, about the difference as a share."""
    return abs(log(size[0] / size[1]) - log(asked[0] / asked[1]))
