"""Image of a waveform: the loudness from the beginning to the end. No torch."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

SIZE = (640, 120)
BAR, GAP = 3, 1
"""Pixels of a bar and of the space after it."""
GROUND, INK = (255, 255, 255), (59, 91, 219)


def draw_waveform(samples: NDArray[np.float32]) -> Image.Image:
    """Return an RGB image of `SIZE` with one bar per part of the audio, as high as its loudest sample (in -1 to 1)."""
    image = Image.new("RGB", SIZE, GROUND)
    draw = ImageDraw.Draw(image)
    width, height = SIZE
    middle = height / 2
    bars = np.array_split(np.abs(samples), width // (BAR + GAP))
    for number, part in enumerate(bars):
        loudest = min(1.0, float(part.max())) if len(part) else 0.0
        reach = max(0.5, loudest * (middle - 2))
        left = number * (BAR + GAP)
        draw.rectangle((left, middle - reach, left + BAR - 1, middle + reach - 1), fill=INK)
    return image
