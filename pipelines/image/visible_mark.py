"""The visible mark of generated pictures and films: a line of text at the bottom left, legible on any background.

The text is white with a dark rim, both translucent. Its height is a share of the shorter side.
"""

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

TEXT = "Made with AI"
SHARE, LEAST_PIXELS = 1 / 18, 8
OPACITY = 0.75
"""Of the text and of its rim."""

Alpha = NDArray[np.float32]


@lru_cache(maxsize=4)
def mark_of(width: int, height: int) -> tuple[Alpha, Alpha]:
    """Return how opaque the text and its rim are at each pixel: two arrays of height x width, 0 to 1."""
    size = max(round(min(width, height) * SHARE), LEAST_PIXELS)
    font, rim = ImageFont.load_default(size), max(1, size // 10)
    place = (size // 2, height - size // 2)
    text, whole = (Image.new("L", (width, height)) for _ in range(2))
    ImageDraw.Draw(text).text(place, TEXT, fill=255, font=font, anchor="ls")
    ImageDraw.Draw(whole).text(place, TEXT, fill=255, font=font, anchor="ls", stroke_width=rim, stroke_fill=255)
    letters, both = (np.asarray(one, np.float32) / 255 for one in (text, whole))
    return (letters * OPACITY).astype(np.float32), ((both - letters).clip(0, 1) * OPACITY).astype(np.float32)


def mark_image(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return a copy of an image, height x width x 3 or 4, with the mark; what is transparent becomes opaque there."""
    text, rim = mark_of(image.shape[1], image.shape[0])
    colors = _over(image[..., :3].astype(np.float32), text[..., None], rim[..., None], 255.0, 0.0)
    if image.shape[2] == 3:
        return colors
    alpha = np.maximum(image[..., 3], np.round((text + rim) * 255)).astype(np.uint8)
    return np.dstack([colors, alpha])


def mark_planes(frames: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return a copy of frames, n x height * 3/2 x width in planes of 4:2:0 and limited range, with the mark."""
    width, height = frames.shape[2], frames.shape[1] * 2 // 3
    text, rim = mark_of(width, height)
    rows = np.flatnonzero((text + rim).any(1))
    first = int(rows[0]) // 2 * 2
    made = frames.copy()
    made[:, first:height] = _over(made[:, first:height], text[first:], rim[first:], 235.0, 16.0)
    colorless = (text + rim).reshape(height // 2, 2, width // 2, 2).mean((1, 3))
    chroma = made[:, height:].reshape(len(made), 2, height // 2, width // 2)
    chroma[:] = _over(chroma, colorless, np.float32(0.0), 128.0, 128.0)
    return made


def mark_alpha(alpha: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return a copy of the transparency of frames, n x height x width, which is opaque where `mark_planes` marks."""
    text, rim = mark_of(alpha.shape[2], alpha.shape[1])
    return np.maximum(alpha, np.round((text + rim) * 255).astype(np.uint8))


def _over(below: NDArray[Any], text: Alpha, rim: Alpha | np.float32, light: float, dark: float) -> NDArray[np.uint8]:
    mixed = below * (1 - text - rim) + light * text + dark * rim
    made: NDArray[np.uint8] = np.round(mixed).clip(0, 255).astype(np.uint8)
    return made
