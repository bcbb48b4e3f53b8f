"""Silhouettes of things: lists of parts, each a polygon or a stroke, in a square from -1 to 1 with y downwards."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image, ImageDraw

Rng = np.random.Generator
Floats = NDArray[np.float32]
Points = NDArray[np.float64]

OVERSAMPLING = 3


@dataclass(frozen=True, slots=True)
class Part:
    """A filled polygon, or with `width` a stroke of that width along it. A `hole` takes away instead of adding."""

    points: Points
    width: float = 0.0
    hole: bool = False


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a shape goes: its center and its half extent as fractions of the side, and how it is bent."""

    x: float
    y: float
    scale: float
    matrix: Points = field(default_factory=lambda: np.eye(2))

    def apply(self, points: Points, side: int) -> Points:
        """Return points of the shape's own square as pixels of an image with `side`."""
        moved: Points = (points @ self.matrix.T * self.scale + (self.x, self.y)) * side
        return moved


def floats(values: ArrayLike | Image.Image) -> Floats:
    """Return the values, or the pixels of an image, as float32."""
    return np.asarray(values, np.float32)


def raster(part: Part, place: Placement, side: int) -> Floats:
    """Return the coverage of a part, (side, side) from 0 to 1, anti-aliased."""
    large = side * OVERSAMPLING
    canvas = Image.new("L", (large, large), 0)
    pen = ImageDraw.Draw(canvas)
    points = [(float(x), float(y)) for x, y in place.apply(part.points, large)]
    if part.width:
        width = max(OVERSAMPLING, round(part.width * place.scale * large))
        pen.line(points, fill=255, width=width, joint="curve")
        for x, y in (points[0], points[-1]):
            pen.ellipse((x - width / 2, y - width / 2, x + width / 2, y + width / 2), fill=255)
    else:
        pen.polygon(points, fill=255)
    return floats(np.asarray(canvas.reduce(OVERSAMPLING)) / 255)


def silhouette(coverages: list[tuple[Part, Floats]]) -> Floats:
    """Return all parts together, in their order: a later part may fill a hole again."""
    alpha = np.zeros_like(coverages[0][1])
    for part, coverage in coverages:
        alpha = alpha * (1 - coverage) if part.hole else np.maximum(alpha, coverage)
    return alpha


def ellipse(x: float, y: float, rx: float, ry: float, power: float = 2.0, count: int = 72) -> Points:
    """Return a closed (super)ellipse: `power` 2 is round, 6 nearly a box, 1 a diamond."""
    t = np.linspace(0, 2 * np.pi, count, endpoint=False)
    c, s = np.cos(t), np.sin(t)
    return np.stack([x + rx * np.sign(c) * np.abs(c) ** (2 / power), y + ry * np.sign(s) * np.abs(s) ** (2 / power)], 1)


def smooth(points: Points, rounds: int = 3, closed: bool = True) -> Points:
    """Return the outline with its corners cut away (Chaikin)."""
    for _ in range(rounds):
        following = np.roll(points, -1, axis=0)
        cut = np.stack([0.75 * points + 0.25 * following, 0.25 * points + 0.75 * following], 1).reshape(-1, 2)
        points = cut if closed else np.concatenate([points[:1], cut[:-2], points[-1:]])
    return points


def revolve(radii: list[float], heights: list[float], rounds: int = 2) -> Points:
    """Return the outline of a body of revolution, from its radius at each height from top (-1) to bottom (1)."""
    right = smooth(np.array(list(zip(radii, heights, strict=True))), rounds, closed=False)
    return np.concatenate([right, right[::-1] * (-1, 1)])


def _blob(rng: Rng) -> list[Part]:
    t = np.linspace(0, 2 * np.pi, 120, endpoint=False)
    radius = np.ones_like(t)
    for wave in range(1, 7):
        radius += rng.normal(0, 0.32 / wave) * np.cos(wave * t + rng.uniform(0, 6.3))
    radius = np.clip(radius, 0.15, None) / max(1.0, float(radius.max()))
    return [Part(np.stack([radius * np.cos(t), radius * np.sin(t)], 1))]


def _round(rng: Rng) -> list[Part]:
    return [Part(ellipse(0, 0, 1, rng.uniform(0.35, 1), rng.uniform(1.2, 9)))]


def _polygon(rng: Rng) -> list[Part]:
    count = int(rng.integers(3, 9))
    angles = np.sort(rng.uniform(0, 2 * np.pi, count) * 0.4 + np.arange(count) * 2 * np.pi / count)
    radius = rng.uniform(0.45, 1, count)
    points = np.stack([radius * np.cos(angles), radius * np.sin(angles)], 1)
    return [Part(smooth(points, int(rng.integers(0, 4))))]


def _box(rng: Rng) -> list[Part]:
    """Return a box seen from a corner: front, side and top as three parts."""
    w, h, d = rng.uniform(0.3, 0.75), rng.uniform(0.3, 0.8), rng.uniform(0.1, 0.4)
    front = np.array([(-w, -h), (w, -h), (w, h), (-w, h)]) - (d / 2, -d / 2)
    side = np.array([(w, -h), (w + d, -h - d), (w + d, h - d), (w, h)]) - (d / 2, -d / 2)
    top = np.array([(-w, -h), (-w + d, -h - d), (w + d, -h - d), (w, -h)]) - (d / 2, -d / 2)
    return [Part(front), Part(side), Part(top)]


def _bottle(rng: Rng) -> list[Part]:
    body, neck, shoulder = rng.uniform(0.25, 0.5), rng.uniform(0.08, 0.18), rng.uniform(-0.6, 0.0)
    outline = revolve([neck, neck, body, body, body * 0.97], [-0.85, shoulder - 0.15, shoulder + 0.15, 0.8, 1.0], 3)
    cap = np.array([(-neck, -1), (neck, -1), (neck, -0.8), (-neck, -0.8)]) * (rng.uniform(1, 1.4), 1)
    parts = [Part(outline), Part(cap)]
    if rng.random() < 0.6:
        top, low = shoulder + 0.3, rng.uniform(0.4, 0.85)
        parts.append(Part(np.array([(-body, top), (body, top), (body, low), (-body, low)])))
    return parts


def _vase(rng: Rng) -> list[Part]:
    heights = np.linspace(-1, 1, int(rng.integers(4, 8)))
    return [Part(revolve(list(rng.uniform(0.12, 0.85, len(heights))), list(heights), 3))]


def _mug(rng: Rng) -> list[Part]:
    top, low, rim = rng.uniform(0.45, 0.65), rng.uniform(0.35, 0.65), rng.uniform(0.03, 0.16)
    body = np.array([(-top, -0.8), (top, -0.8), (low, 0.7), (low * 0.9, 0.8), (-low * 0.9, 0.8), (-low, 0.7)])
    reach, thick = rng.uniform(0.25, 0.5), rng.uniform(0.1, 0.2)
    handle = ellipse(top * 0.85, rng.uniform(-0.15, 0.1), reach, rng.uniform(0.3, 0.55), rng.uniform(1.8, 4))
    return [Part(np.vstack([handle, handle[:1]]), width=thick), Part(body), Part(ellipse(0, -0.8, top, rim))]


def _shoe(rng: Rng) -> list[Part]:
    heel, toe = rng.uniform(-0.75, -0.2), rng.uniform(-0.05, 0.25)
    ankle = rng.uniform(-0.35, -0.05)
    upper = [(-0.95, heel), (ankle, heel + rng.uniform(-0.1, 0.15)), (ankle + 0.2, -0.1), (0.6, toe)]
    upper += [(0.98, toe + 0.2), (0.98, 0.42), (-0.95, 0.42)]
    sole_height = rng.uniform(0.06, 0.2)
    sole = [(-1, 0.38), (1, 0.38), (0.95, 0.38 + sole_height), (-0.95, 0.38 + sole_height)]
    return [Part(smooth(np.array(upper), 2)), Part(smooth(np.array(sole), 2))]


def _lamp(rng: Rng) -> list[Part]:
    top, low = rng.uniform(0.15, 0.4), rng.uniform(0.4, 0.7)
    shade = np.array([(-top, -1), (top, -1), (low, -0.3), (-low, -0.3)])
    stem = np.array([(0.0, -0.4), (rng.uniform(-0.1, 0.1), 0.3), (0.0, 0.9)])
    base = ellipse(0, 0.93, rng.uniform(0.25, 0.5), 0.07)
    return [Part(stem, width=rng.uniform(0.05, 0.12)), Part(shade), Part(base)]


def _compound(rng: Rng) -> list[Part]:
    parts = []
    for _ in range(int(rng.integers(2, 5))):
        x, y = rng.uniform(-0.4, 0.4, 2)
        parts.append(Part(ellipse(x, y, rng.uniform(0.2, 0.6), rng.uniform(0.2, 0.6), rng.uniform(1.5, 8))))
    return parts


def _leaf(rng: Rng) -> list[Part]:
    t = np.linspace(0, 1, 40)
    bulge = np.sin(np.pi * t ** rng.uniform(0.6, 1.4)) * rng.uniform(0.25, 0.6)
    bend = np.sin(np.pi * t) * rng.uniform(-0.4, 0.4)
    y = 2 * t - 1
    outline = np.concatenate([np.stack([bend + bulge, y], 1), np.stack([bend - bulge, y], 1)[::-1]])
    return [Part(np.array([(0.0, 0.95), (rng.uniform(-0.2, 0.2), 1.25)]), width=0.06), Part(outline * 0.85)]


def _ring(rng: Rng) -> list[Part]:
    ry, inner = rng.uniform(0.5, 1), rng.uniform(0.35, 0.75)
    power = rng.uniform(1.6, 5)
    return [Part(ellipse(0, 0, 1, ry, power)), Part(ellipse(0, 0, inner, inner * ry, power), hole=True)]


def _stool(rng: Rng) -> list[Part]:
    width, splay, thick = rng.uniform(0.45, 0.8), rng.uniform(-0.1, 0.2), rng.uniform(0.05, 0.13)
    feet = np.linspace(-1, 1, int(rng.integers(2, 5))) * (width * 0.85)
    legs = [Part(np.array([(x, -0.35), (x * (1 + splay), 0.95)]), width=thick) for x in feet]
    seat = Part(ellipse(0, -0.4, width, rng.uniform(0.08, 0.25), rng.uniform(2, 8)))
    if rng.random() < 0.5:
        legs.append(Part(np.array([(-width * 0.8, 0.4), (width * 0.8, 0.4)]), width=thick * 0.8))
    return [*legs, seat]


def _bag(rng: Rng) -> list[Part]:
    top, low = rng.uniform(0.4, 0.7), rng.uniform(0.5, 0.85)
    body = np.array([(-top, -0.3), (top, -0.3), (low, 0.9), (-low, 0.9)])
    t = np.linspace(np.pi, 2 * np.pi, 30)
    reach = rng.uniform(0.4, 0.8) * top
    handle = np.stack([reach * np.cos(t), -0.3 + rng.uniform(0.4, 0.65) * np.sin(t)], 1)
    return [Part(handle, width=rng.uniform(0.05, 0.14)), Part(smooth(body, int(rng.integers(1, 3))))]


def _plant(rng: Rng) -> list[Part]:
    parts = []
    for _ in range(int(rng.integers(3, 8))):
        angle, length = rng.uniform(-1.2, 1.2), rng.uniform(0.6, 1.2)
        tip = np.array([np.sin(angle), -np.cos(angle)]) * length
        middle = tip * 0.5 + rng.normal(0, 0.1, 2)
        stem = smooth(np.array([(0.0, 0.4), middle, tip]), 3, closed=False)
        size = rng.uniform(0.1, 0.28)
        parts += [Part(stem, width=0.04), Part(ellipse(tip[0], tip[1], size, size * rng.uniform(0.4, 1)))]
    top = rng.uniform(0.3, 0.5)
    pot = np.array([(-top, 0.3), (top, 0.3), (top * 0.75, 1), (-top * 0.75, 1)])
    return [*parts, Part(pot)]


def _wire(rng: Rng) -> list[Part]:
    """Return a bent bar with or without a ball at its end."""
    path = smooth(np.clip(np.cumsum(rng.normal(0, 0.6, (4, 2)), 0), -1, 1), 3, closed=False)
    bar = Part(path, width=rng.uniform(0.1, 0.3))
    return [bar] if rng.random() < 0.5 else [bar, Part(ellipse(path[0, 0], path[0, 1], 0.25, 0.25))]


def _tool(rng: Rng) -> list[Part]:
    """Return a handle with a head: hammer, spoon, brush, fork."""
    stem = Part(np.array([(0.0, -0.5), (0.0, 0.98)]), width=rng.uniform(0.1, 0.2))
    wide, high = rng.uniform(0.2, 0.6), rng.uniform(0.18, 0.4)
    if rng.random() < 0.6:
        return [stem, Part(ellipse(0, -0.65, wide, high, rng.uniform(1.6, 9)))]
    prongs = np.linspace(-wide, wide, int(rng.integers(2, 5)))
    bridge = Part(np.array([(-wide, -0.5), (wide, -0.5)]), width=0.14)
    return [stem, bridge, *(Part(np.array([(x, -0.5), (x, -0.98)]), width=0.12) for x in prongs)]


def _star(rng: Rng) -> list[Part]:
    points = int(rng.integers(4, 9))
    radius = np.tile([1.0, rng.uniform(0.38, 0.6)], points)
    angles = np.arange(2 * points) * np.pi / points - np.pi / 2
    return [Part(np.stack([radius * np.cos(angles), radius * np.sin(angles)], 1))]


def _teapot(rng: Rng) -> list[Part]:
    body = Part(ellipse(0, 0.15, 0.6, 0.5, rng.uniform(1.9, 2.6)))
    spout = np.array([(0.4, 0.35), (0.75, 0.1), (0.95, -0.35), (1.05, -0.33), (0.9, 0.25), (0.45, 0.55)])
    handle = ellipse(-0.6, 0.1, 0.35, rng.uniform(0.28, 0.4))
    lid = Part(ellipse(0, -0.32, 0.32, 0.12))
    knob = Part(ellipse(0, -0.5, 0.09, 0.1))
    ring = Part(np.vstack([handle, handle[:1]]), width=rng.uniform(0.1, 0.16))
    return [ring, Part(smooth(spout, 2)), body, lid, knob]


def _key(rng: Rng) -> list[Part]:
    bow = ellipse(-0.62, 0, 0.36, rng.uniform(0.28, 0.4))
    stem = Part(np.array([(-0.35, 0.0), (0.95, 0.0)]), width=rng.uniform(0.12, 0.18))
    teeth = [Part(np.array([(x, 0.0), (x, rng.uniform(0.2, 0.4))]), width=0.13) for x in (0.55, 0.73, 0.9)]
    hole = Part(ellipse(-0.62, 0, 0.2, rng.uniform(0.14, 0.2)), hole=True)
    return [Part(bow), hole, stem, *teeth]


def _crescent(rng: Rng) -> list[Part]:
    shift, radius = rng.uniform(0.3, 0.55), rng.uniform(0.75, 0.9)
    return [Part(ellipse(0, 0, 1, 1)), Part(ellipse(shift, rng.uniform(-0.1, 0.1), radius, radius), hole=True)]


def _armchair(rng: Rng) -> list[Part]:
    legs = [Part(np.array([(x, 0.5), (x * 1.1, 1.0)]), width=rng.uniform(0.07, 0.12)) for x in (-0.65, 0.65)]
    back = Part(ellipse(0, -0.3, 0.65, rng.uniform(0.6, 0.75), 4))
    seat = Part(ellipse(0, 0.35, 0.7, 0.28, 6))
    arms = [Part(ellipse(x, 0.15, 0.17, 0.42, 3)) for x in (-0.72, 0.72)]
    return [*legs, back, seat, *arms]


def _goblet(rng: Rng) -> list[Part]:
    bowl, stem, foot = rng.uniform(0.4, 0.6), rng.uniform(0.05, 0.09), rng.uniform(0.3, 0.45)
    heights = [-1, -0.5, 0.0, 0.15, 0.85, 0.93, 1.0]
    return [Part(revolve([bowl * 0.85, bowl, bowl * 0.5, stem, stem, foot, foot], heights, 2))]


DrawShape = Callable[[Rng], list[Part]]

TRAINING: dict[str, DrawShape] = {
    "blob": _blob,
    "round": _round,
    "polygon": _polygon,
    "box": _box,
    "bottle": _bottle,
    "vase": _vase,
    "mug": _mug,
    "shoe": _shoe,
    "lamp": _lamp,
    "compound": _compound,
    "leaf": _leaf,
    "ring": _ring,
    "stool": _stool,
    "bag": _bag,
    "plant": _plant,
    "wire": _wire,
    "tool": _tool,
}
"""Shapes that the network learns from."""

HELD_OUT: dict[str, DrawShape] = {
    "star": _star,
    "teapot": _teapot,
    "key": _key,
    "crescent": _crescent,
    "armchair": _armchair,
    "goblet": _goblet,
}
"""Shapes of the evaluation; `composite.train` never draws one."""
