"""Backgrounds: (side, side, 3) float32 from 0 to 1."""

from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw, ImageFilter
from scipy.ndimage import gaussian_filter  # type: ignore[import-untyped]

from pipelines.matting.shapes import Floats, Rng, floats

Ground = Callable[[Rng, int], Floats]


def colour(rng: Rng) -> Floats:
    """An RGB colour: half of them pale or grey, as studio backgrounds are."""
    if rng.random() < 0.5:
        grey = rng.uniform(0.05, 1.0)
        return floats(np.clip(grey + rng.normal(0, 0.05, 3), 0, 1))
    return rng.uniform(0, 1, 3).astype(np.float32)


def coordinates(side: int) -> tuple[Floats, Floats]:
    """x and y of every pixel, from -1 to 1."""
    axis = (np.arange(side, dtype=np.float32) + 0.5) * (2 / side) - 1
    x, y = np.meshgrid(axis, axis)
    return x, y


def field(rng: Rng, side: int, cells: int) -> Floats:
    """Smooth noise from 0 to 1 with about `cells` bumps along a side."""
    small = Image.fromarray(rng.uniform(0, 1, (cells + 1, cells + 1)).astype(np.float32))
    return np.clip(floats(small.resize((side, side), Image.Resampling.BICUBIC)), 0, 1)


def fractal(rng: Rng, side: int, cells: int = 3, octaves: int = 4) -> Floats:
    """Noise of several scales, stretched to 0 to 1."""
    total = np.zeros((side, side), np.float32)
    for octave in range(octaves):
        total += field(rng, side, min(cells * 2**octave, side // 2)) * 0.55**octave
    low, high = float(total.min()), float(total.max())
    return (total - low) / max(high - low, 1e-6)


def mix(share: Floats, first: Floats, second: Floats) -> Floats:
    """`first` where `share` is 0, `second` where it is 1."""
    return (first + share[..., None] * (second - first)).astype(np.float32)


def near(rng: Rng, base: Floats, spread: float) -> Floats:
    """A colour beside another one."""
    return floats(np.clip(base + rng.normal(0, spread, 3), 0, 1))


def _turned(rng: Rng, side: int) -> tuple[Floats, Floats]:
    x, y = coordinates(side)
    angle = rng.uniform(0, np.pi)
    return x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)


def _edge(values: Floats, rng: Rng) -> Floats:
    """A wave from -1 to 1 as soft or sharp bands from 0 to 1."""
    return floats(np.clip(values * rng.choice([0.6, 1.5, 12.0]) + 0.5, 0, 1))


def _plain(rng: Rng, side: int) -> Floats:
    return np.broadcast_to(colour(rng), (side, side, 3)).astype(np.float32)


def _linear(rng: Rng, side: int) -> Floats:
    along, _ = _turned(rng, side)
    first = colour(rng)
    return mix(np.clip(along * 0.5 + 0.5, 0, 1), first, near(rng, first, 0.3))


def _radial(rng: Rng, side: int) -> Floats:
    x, y = coordinates(side)
    cx, cy = rng.uniform(-0.5, 0.5, 2)
    first = colour(rng)
    return mix(np.clip(np.hypot(x - cx, y - cy) / rng.uniform(1, 2), 0, 1), first, near(rng, first, 0.3))


def _clouds(rng: Rng, side: int) -> Floats:
    first = colour(rng)
    share = fractal(rng, side, int(rng.integers(2, 12)), int(rng.integers(1, 6)))
    return mix(share, first, near(rng, first, rng.uniform(0.05, 0.4)))


def _stripes(rng: Rng, side: int) -> Floats:
    along, across = _turned(rng, side)
    wave = np.sin(along * rng.uniform(6, 45) + rng.choice([0, 0, 1]) * np.sin(across * rng.uniform(3, 20)))
    first = colour(rng)
    return mix(_edge(wave, rng), first, near(rng, first, 0.3))


def _dots(rng: Rng, side: int) -> Floats:
    along, across = _turned(rng, side)
    frequency = rng.uniform(6, 35)
    first = colour(rng)
    product = np.sin(along * frequency) * np.sin(across * frequency)
    return mix(np.clip((product - rng.uniform(0.3, 0.7)) * 10, 0, 1), first, near(rng, first, 0.35))


def _lattice(rng: Rng, side: int) -> Floats:
    along, across = _turned(rng, side)
    frequency, thin = rng.uniform(6, 25), rng.uniform(0.8, 0.97)
    lines = np.maximum(np.sin(along * frequency), np.sin(across * frequency * rng.choice([1, 1.5])))
    first = colour(rng)
    return mix(np.clip((lines - thin) * 15, 0, 1), first, near(rng, first, 0.3))


def _triangles(rng: Rng, side: int) -> Floats:
    along, across = _turned(rng, side)
    frequency = rng.uniform(4, 14)
    total = np.zeros((side, side), np.float32)
    for angle in (0, np.pi / 3, 2 * np.pi / 3):
        total += np.floor((along * np.cos(angle) + across * np.sin(angle)) * frequency)
    first = colour(rng)
    return mix(floats((total % 3) / 2), first, near(rng, first, 0.3))


def _clutter(rng: Rng, side: int) -> Floats:
    """Patches that are larger than the picture's things, or reach over its edges; mostly out of focus."""
    base = colour(rng)
    canvas = Image.new("RGB", (side, side), _bytes(base))
    pen = ImageDraw.Draw(canvas)
    for _ in range(int(rng.integers(4, 22))):
        x, y = rng.uniform(-0.1, 1.1, 2) * side
        w, h = rng.uniform(0.03, 0.4, 2) * side
        fill = _bytes(near(rng, base, 0.25))
        if rng.random() < 0.5:
            pen.rectangle((x - w, y - h, x + w, y + h), fill=fill)
        else:
            pen.ellipse((x - w, y - h, x + w, y + h), fill=fill)
    blurred = canvas.filter(ImageFilter.GaussianBlur(float(rng.choice([0.004, 0.012, 0.03, 0.06])) * side))
    return floats(np.asarray(blurred) / 255)


def _sweep(rng: Rng, side: int) -> Floats:
    """A studio: a wall that bends into the floor, lit from somewhere."""
    x, y = coordinates(side)
    level, soft = rng.uniform(-0.1, 0.8), rng.uniform(0.02, 0.5)
    wall = colour(rng)
    floor = np.clip(wall * rng.uniform(0.6, 1.3), 0, 1).astype(np.float32)
    ground = mix(1 / (1 + np.exp(np.clip(-(y - level) / soft, -30, 30))), wall, floor)
    glow = np.hypot(x - rng.uniform(-1, 1), y - rng.uniform(-1, 0.5)) * rng.uniform(0, 0.35)
    return floats(np.clip(ground * (1.1 - glow)[..., None], 0, 1))


def _room(rng: Rng, side: int) -> Floats:
    """Two of the plainer grounds, above and below an edge."""
    kinds = [_plain, _linear, _clouds, _stripes, _planks]
    upper, lower = (kinds[int(rng.integers(len(kinds)))](rng, side) for _ in range(2))
    _, y = coordinates(side)
    x, _ = coordinates(side)
    edge = y - rng.uniform(0, 0.7) - x * rng.normal(0, 0.08)
    return mix(np.clip(edge * side * 0.3 + 0.5, 0, 1), upper, lower)


def _planks(rng: Rng, side: int) -> Floats:
    along, across = _turned(rng, side)
    width = rng.uniform(0.12, 0.5)
    board = np.floor(across / width)
    tone = np.sin(board * 78.23 + rng.uniform(0, 6)) * 0.5 + 0.5
    grain = np.sin(along * 2 + across * rng.uniform(40, 120) + fractal(rng, side, 3, 2) * 6) * 0.5 + 0.5
    base = colour(rng)
    wood = mix(tone * 0.6 + grain * 0.4, base, near(rng, base, 0.18))
    gap = np.abs(across / width - board - 0.5) > 0.5 - rng.uniform(0.01, 0.05)
    return wood * np.where(gap, rng.uniform(0.4, 0.9), 1.0)[..., None].astype(np.float32)


def _checker(rng: Rng, side: int) -> Floats:
    along, across = _turned(rng, side)
    size = rng.uniform(0.12, 0.4)
    first = colour(rng)
    odd = (np.floor(along / size) + np.floor(across / size)) % 2
    return mix(odd.astype(np.float32), first, near(rng, first, 0.25))


def _bricks(rng: Rng, side: int) -> Floats:
    x, y = coordinates(side)
    high = rng.uniform(0.1, 0.25)
    row = np.floor(y / high)
    column = np.floor(x / (high * 2.4) + 0.5 * (row % 2))
    u, v = x / (high * 2.4) + 0.5 * (row % 2) - column, y / high - row
    mortar = (np.minimum(v, 1 - v) < 0.06) | (np.minimum(u, 1 - u) < 0.03)
    base = colour(rng)
    tone = np.sin(row * 12.99 + column * 78.23) * 0.5 + 0.5
    wall = mix(tone.astype(np.float32), base, near(rng, base, 0.15))
    return mix(mortar.astype(np.float32), wall, np.broadcast_to(colour(rng), wall.shape).astype(np.float32))


def _bokeh(rng: Rng, side: int) -> Floats:
    x, y = coordinates(side)
    base = colour(rng) * 0.5
    picture = np.broadcast_to(base, (side, side, 3)).astype(np.float32).copy()
    for _ in range(int(rng.integers(8, 30))):
        cx, cy = rng.uniform(-1, 1, 2)
        disc = np.clip((rng.uniform(0.05, 0.2) - np.hypot(x - cx, y - cy)) * 40, 0, 1)
        picture += disc[..., None] * colour(rng) * rng.uniform(0.1, 0.5)
    return floats(np.clip(gaussian_filter(picture, (side / 160, side / 160, 0)), 0, 1))


def _rays(rng: Rng, side: int) -> Floats:
    x, y = coordinates(side)
    cx, cy = rng.uniform(-0.4, 0.4, 2)
    wave = np.sin(np.arctan2(y - cy, x - cx) * int(rng.integers(5, 16)))
    first = colour(rng)
    return mix(np.clip(wave * 8 + 0.5, 0, 1), first, near(rng, first, 0.25))


def _bytes(rgb: Floats) -> tuple[int, int, int]:
    red, green, blue = (int(255 * value) for value in rgb)
    return red, green, blue


TRAINING: dict[str, Ground] = {
    "plain": _plain,
    "linear": _linear,
    "radial": _radial,
    "clouds": _clouds,
    "stripes": _stripes,
    "dots": _dots,
    "lattice": _lattice,
    "triangles": _triangles,
    "clutter": _clutter,
    "sweep": _sweep,
    "room": _room,
    "planks": _planks,
}
"""Backgrounds that the network learns from."""

WEIGHTS = {"sweep": 3.0, "clutter": 3.0, "room": 2.0, "clouds": 1.5}
"""How often, against 1 for those not named."""

HELD_OUT: dict[str, Ground] = {"checker": _checker, "bricks": _bricks, "bokeh": _bokeh, "rays": _rays}
"""Backgrounds kept for evaluation; `composite.train` never draws one."""
