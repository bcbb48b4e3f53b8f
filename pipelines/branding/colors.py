"""CIELAB (D65, 2 degrees), in which a palette is measured, and the transfer of an image's colors to one.

Conversions follow IEC 61966-2-1 (sRGB) and CIE 15. A distance is CIE76, the Euclidean one; 2.3 is just visible.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageColor, ImageFilter

Lab = NDArray[np.float32]
"""... x 3: lightness 0 to 100, and a and b, which are 0 for grays."""

_TO_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
_WHITE = np.array([0.95047, 1.0, 1.08883])
_KNEE = 6 / 29
SAMPLE = 256
"""The longest side of the copy of an image that is measured."""
LATTICE = 33
"""Points a side of the table that maps colors; between them Pillow interpolates."""
REACH = 18.0
"""How far a palette color reaches; colors between two of them go to a mixture, so that gradients stay smooth."""
CHROMA_SHARE, LIGHTNESS_SHARE = 0.7, 0.3
"""How far a color goes to the palette: lightness carries the drawing, and mostly stays."""
GRAY_CHROMA, GRAY_SHARE = 25.0, 0.35
"""Below this chroma a color goes less far, down to this share of it for a gray: paper stays white."""


def palette_lab(palette: Sequence[str]) -> Lab:
    """Return hex colors in CIELAB."""
    return to_lab(np.array([ImageColor.getrgb(color)[:3] for color in palette], np.uint8))


def to_lab(rgb: NDArray[np.uint8]) -> Lab:
    """Return sRGB colors, ... x 3, in CIELAB."""
    share = rgb.astype(np.float64) / 255
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    ratio = linear @ _TO_XYZ.T / _WHITE
    root = np.where(ratio > _KNEE**3, np.cbrt(ratio), ratio / (3 * _KNEE**2) + 4 / 29)
    x, y, z = root[..., 0], root[..., 1], root[..., 2]
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1).astype(np.float32)


def to_rgb(lab: Lab) -> NDArray[np.uint8]:
    """Return CIELAB colors in sRGB; those that no screen shows are clipped."""
    y = (lab[..., 0].astype(np.float64) + 16) / 116
    root = np.stack([y + lab[..., 1] / 500, y, y - lab[..., 2] / 200], axis=-1)
    ratio = np.where(root > _KNEE, root**3, 3 * _KNEE**2 * (root - 4 / 29))
    linear = np.clip((ratio * _WHITE) @ np.linalg.inv(_TO_XYZ).T, 0, 1)
    share = np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)
    made: NDArray[np.uint8] = np.round(share * 255).astype(np.uint8)
    return made


def palette_distance(image: Image.Image, palette: Sequence[str]) -> float:
    """Return the mean distance of an image's visible pixels to the nearest color of a palette."""
    small = image.convert("RGBA")
    small.thumbnail((SAMPLE, SAMPLE), Image.Resampling.BOX)
    pixels = np.asarray(small).reshape(-1, 4)
    seen = pixels[pixels[:, 3] >= 128, :3]
    if not len(seen):
        return 0.0
    return round(float(_distances(to_lab(seen), palette_lab(palette)).min(axis=1).mean()), 3)


def transfer(image: Image.Image, palette: Sequence[str]) -> Image.Image:
    """Return an RGB or RGBA image whose colors were moved toward those of a palette."""
    filtered = image.convert("RGB").filter(_table(palette))
    if image.mode == "RGBA":
        filtered.putalpha(image.getchannel("A"))
    return filtered


def _table(palette: Sequence[str]) -> ImageFilter.Color3DLUT:
    """Return the map of colors: red changes fastest, as Pillow has it."""
    axis = np.round(np.linspace(0, 255, LATTICE)).astype(np.uint8)
    blue, green, red = np.meshgrid(axis, axis, axis, indexing="ij")
    lattice = np.stack([red, green, blue], axis=-1).reshape(-1, 3)
    moved = to_rgb(_moved(to_lab(lattice), palette_lab(palette)))
    return ImageFilter.Color3DLUT(LATTICE, (moved.astype(np.float32) / 255).ravel().tolist())


def _moved(colors: Lab, palette: Lab) -> Lab:
    squares = _distances(colors, palette) ** 2
    weights = np.exp((squares.min(axis=1, keepdims=True) - squares) / (2 * REACH**2))
    target = (weights / weights.sum(axis=1, keepdims=True)) @ palette
    chroma = np.hypot(colors[:, 1], colors[:, 2])
    share = GRAY_SHARE + (1 - GRAY_SHARE) * np.minimum(1, chroma / GRAY_CHROMA)
    reach = share[:, None] * np.array([LIGHTNESS_SHARE, CHROMA_SHARE, CHROMA_SHARE])
    moved: Lab = (colors + reach * (target - colors)).astype(np.float32)
    return moved


def _distances(colors: Lab, palette: Lab) -> NDArray[Any]:
    distances: NDArray[Any] = np.linalg.norm(colors[:, None, :] - palette[None, :, :], axis=-1)
    return distances
