"""Drawing of scenes, anti-aliased: a shape is a signed distance in pixels, its coverage a ramp of one pixel."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipelines.demo.scene import Rng, Scene, Thing

RGB = {
    "red": (215, 35, 35),
    "green": (35, 155, 65),
    "blue": (40, 75, 215),
    "yellow": (242, 214, 45),
    "purple": (140, 50, 175),
    "orange": (243, 138, 32),
    "white": (248, 248, 248),
    "black": (18, 18, 18),
}
RADIUS = {"small": 0.105, "medium": 0.15, "large": 0.21}
LOW, MIDDLE, HIGH = 0.26, 0.5, 0.74
SIZE_JITTER, PLACE_JITTER, COLOR_JITTER = 0.04, 0.02, 5

Floats = NDArray[np.float32]
Pixels = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Placed:
    """A shape with its numbers: center and radius as fractions of the image's side, color 0..255."""

    shape: str
    x: float
    y: float
    radius: float
    rgb: tuple[float, float, float]


def draw(scene: Scene, rng: Rng | None = None, side: int = 256) -> Pixels:
    """Draw the scene as a (side, side, 3) uint8 image; with `rng`, place, size and color vary a little."""
    image = np.empty((side, side, 3), np.float32)
    image[:] = _vary_color(scene.background, rng)
    for placed in arrange(scene, rng):
        _paint(image, placed, side)
    drawn: Pixels = np.clip(image + 0.5, 0, 255).astype(np.uint8)
    return drawn


def arrange(scene: Scene, rng: Rng | None = None) -> list[Placed]:
    """Return the numbers of each thing of a scene."""
    placed = []
    for index, thing in enumerate(scene.things):
        x, y = _center(scene, index, thing)
        radius = RADIUS[thing.size or "medium"]
        if rng is not None:
            x += float(rng.uniform(-PLACE_JITTER, PLACE_JITTER))
            y += float(rng.uniform(-PLACE_JITTER, PLACE_JITTER))
            radius *= 1 + float(rng.uniform(-SIZE_JITTER, SIZE_JITTER))
        placed.append(Placed(thing.shape, x, y, radius, _vary_color(thing.color, rng)))
    return placed


def _center(scene: Scene, index: int, thing: Thing) -> tuple[float, float]:
    if scene.relation is not None:
        first_low = scene.relation in ("left of", "above")
        along = LOW if first_low == (index == 0) else HIGH
        return (along, MIDDLE) if scene.relation in ("left of", "right of") else (MIDDLE, along)
    words = (thing.place or "center").split()
    x = LOW if "left" in words else HIGH if "right" in words else MIDDLE
    y = LOW if "top" in words else HIGH if "bottom" in words else MIDDLE
    return x, y


def _vary_color(name: str, rng: Rng | None) -> tuple[float, float, float]:
    red, green, blue = RGB[name]
    if rng is None:
        return float(red), float(green), float(blue)
    shift = rng.uniform(-COLOR_JITTER, COLOR_JITTER, 3)
    return red + float(shift[0]), green + float(shift[1]), blue + float(shift[2])


def _paint(image: Floats, placed: Placed, side: int) -> None:
    radius = placed.radius * side
    reach = int(radius * 1.2) + 2
    left, top = int(placed.x * side) - reach, int(placed.y * side) - reach
    columns = np.arange(max(left, 0), min(left + 2 * reach + 1, side), dtype=np.float32)
    rows = np.arange(max(top, 0), min(top + 2 * reach + 1, side), dtype=np.float32)
    x = columns[None, :] + 0.5 - placed.x * side
    y = rows[:, None] + 0.5 - placed.y * side
    coverage = np.clip(0.5 - DISTANCE[placed.shape](x, y, radius), 0, 1)[..., None]
    window = image[int(rows[0]) : int(rows[-1]) + 1, int(columns[0]) : int(columns[-1]) + 1]
    window += coverage * (np.asarray(placed.rgb, np.float32) - window)


def _box(x: Floats, y: Floats, half_width: float, half_height: float) -> Floats:
    distance: Floats = np.maximum(np.abs(x) - half_width, np.abs(y) - half_height)
    return distance


def _circle(x: Floats, y: Floats, radius: float) -> Floats:
    distance: Floats = np.hypot(x, y) - np.float32(radius)
    return distance


def _ring(x: Floats, y: Floats, radius: float) -> Floats:
    distance: Floats = np.abs(np.hypot(x, y) - np.float32(0.79 * radius)) - np.float32(0.21 * radius)
    return distance


def _square(x: Floats, y: Floats, radius: float) -> Floats:
    return _box(x, y, 0.93 * radius, 0.93 * radius)


def _cross(x: Floats, y: Floats, radius: float) -> Floats:
    distance: Floats = np.minimum(_box(x, y, radius, 0.34 * radius), _box(x, y, 0.34 * radius, radius))
    return distance


def _triangle(x: Floats, y: Floats, radius: float) -> Floats:
    """Return the distance to an isosceles triangle, 2 r wide and 1.8 r high, its bounding box centered."""
    half_width, half_height = radius, 0.9 * radius
    slope = math.hypot(half_width, 2 * half_height)
    side = ((np.abs(x)) * 2 * half_height - (y + half_height) * half_width) / slope
    distance: Floats = np.maximum(side, y - half_height)
    return distance


def _star(x: Floats, y: Floats, radius: float) -> Floats:
    """Return the distance to a star of five points.

    The plane is folded onto one half-point, whose edge is a straight line.
    """
    outer, inner, half = 1.05 * radius, 0.44 * radius, math.pi / 5
    lowered = y - outer * (1 - math.cos(half)) / 2
    angle = np.arctan2(x, -lowered)
    folded = np.abs((angle + half) % (2 * half) - half)
    length = np.hypot(x, lowered)
    edge_x, edge_y = inner * math.cos(half) - outer, inner * math.sin(half)
    px, py = length * np.cos(folded) - outer, length * np.sin(folded)
    distance: Floats = (py * -edge_x + px * edge_y) / math.hypot(edge_x, edge_y)
    return distance


DISTANCE = {
    "circle": _circle,
    "square": _square,
    "triangle": _triangle,
    "star": _star,
    "cross": _cross,
    "ring": _ring,
}
