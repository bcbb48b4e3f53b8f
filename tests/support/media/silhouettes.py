"""Ten drawn silhouettes, holes and thin parts among them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

Draw = Callable[[ImageDraw.ImageDraw], object]

DRAWN: dict[str, Draw] = {
    "ball": lambda draw: draw.ellipse((60, 40, 260, 240), fill=255),
    "box": lambda draw: draw.rectangle((40, 80, 280, 200), fill=255),
    "ring": lambda draw: draw.ellipse((50, 30, 270, 250), outline=255, width=24),
    "mug": lambda draw: (
        draw.rectangle((60, 60, 200, 240), fill=255),
        draw.ellipse((160, 100, 270, 200), outline=255, width=16),
    ),
    "triangle": lambda draw: draw.regular_polygon((160, 150, 120), 3, rotation=20, fill=255),
    "needle": lambda draw: draw.line((20, 270, 300, 30), fill=255, width=4),
    "lamp": lambda draw: (
        draw.polygon([(120, 40), (200, 40), (250, 140), (70, 140)], fill=255),
        draw.line((160, 140, 160, 260), fill=255, width=3),
        draw.ellipse((110, 250, 210, 275), fill=255),
    ),
    "fence": lambda draw: (
        [draw.rectangle((x, 30, x + 5, 260), fill=255) for x in range(40, 290, 24)]
        + [draw.rectangle((30, y, 290, y + 5), fill=255) for y in (70, 140, 210)]
    ),
    "corners that touch": lambda draw: [
        draw.rectangle((40 + 40 * x, 30 + 40 * y, 79 + 40 * x, 69 + 40 * y), fill=255)
        for x in range(6)
        for y in range(6)
        if (x + y) % 2
    ],
    "to the edges": lambda draw: (
        draw.rectangle((0, 0, 319, 299), fill=255),
        draw.ellipse((100, 90, 220, 210), fill=0),
        draw.ellipse((140, 130, 180, 170), fill=255),
    ),
}
"""Each draws white on black, 320 x 300."""
HOLES = {"ring": 1, "mug": 1, "fence": 20, "to the edges": 1}
"""How many holes each has, where it has some."""
PARTS = {"to the edges": 2}
"""How many parts each has, where it has more than one; corners that touch are for the mesh to decide."""


def silhouette(name: str) -> np.ndarray:
    """Alpha, uint8, 300 x 320, with soft edges."""
    alpha = Image.new("L", (320, 300))
    DRAWN[name](ImageDraw.Draw(alpha))
    return np.asarray(alpha.filter(ImageFilter.GaussianBlur(0.7)))


def save_cutout(name: str, file: Path) -> Path:
    """A cut-out PNG with a pattern of colors on it."""
    y, x = np.mgrid[:300, :320]
    colors = np.stack([120 + 80 * np.sin(x / 23), 120 + 80 * np.cos(y / 31), 60 + (x + y) / 5], axis=-1)
    Image.fromarray(np.dstack([colors.astype(np.uint8), silhouette(name)])).save(file)
    return file
