"""From a ratio of sides to pixels."""

from math import sqrt

from api.dialects.videogen.schema import AspectRatio
from pipelines.catalog.sizes import fit_sides

USUAL = AspectRatio(16, 9)
IMAGE_SIDES = (64, 1024, 8, 1024 * 1024)
VIDEO_SIDES = (64, 1536, 32, 896 * 512)
"""The smallest and the largest side that a request may name, their step, and the pixels to stay near."""


def size_of(ratio: AspectRatio | None, sides: tuple[int, int, int, int]) -> tuple[int, int]:
    """Return width and height in pixels: of this ratio as far as the step of the sides allows, near the usual size.

    A ratio that would need a side beyond the bounds has the nearest one that does not.
    """
    least, most, step, pixels = sides
    width, height = (ratio or USUAL).width, (ratio or USUAL).height
    scale = sqrt(pixels / (width * height))
    return fit_sides(width * scale, height * scale, (least, most), step)
