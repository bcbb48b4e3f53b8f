"""Backgrounds: (side, side, 3) float32 from 0 to 1."""

from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw, ImageFilter
from scipy.ndimage import gaussian_filter  # type: ignore[import-untyped]

from pipelines.matting.shapes import Floats, Rng, floats

DrawBackground = Callable[[Rng, int], Floats]


def color(rng: Rng) -> Floats:
    """Return an RGB color; half of them are pale or gray, as studio backgrounds are."""
    if rng.random() < 0.5:
        gray = rng.uniform(0.05, 1.0)
        return floats(np.clip(gray + rng.normal(0, 0.05, 3), 0, 1))
    return rng.uniform(0, 1, 3).astype(np.float32)


def coordinates(side: int) -> tuple[Floats, Floats]:
    """Return x and y of every pixel, from -1 to 1."""
    axis = (np.arange(side, dtype=np.float32) + 0.5) * (2 / side) - 1
    x, y = np.meshgrid(axis, axis)
    return x, y


def field(rng: Rng, side: int, cells: int) -> Floats:
    """Return smooth noise from 0 to 1 with about `cells` bumps along a side."""
    small = Image.fromarray(rng.uniform(0, 1, (cells + 1, cells + 1)).astype(np.float32))
    return np.clip(floats(small.resize((side, side), Image.Resampling.BICUBIC)), 0, 1)


def fractal(rng: Rng, side: int, cells: int = 3, octaves: int = 4) -> Floats:
    """Return noise of several scales, stretched to 0 to 1."""
    total = np.zeros((side, side), np.float32)
    for octave in range(octaves):
        total += field(rng, side, min(cells * 2**octave, side // 2)) * 0.55**octave
    low, high = float(total.min()), float(total.max())
    return (total - low) / max(high - low, 1e-6)


def mix(share: Floats, first: Floats, second: Floats) -> Floats:
    """Return `first` where `share` is 0, `second` where it is 1."""
    return (first + share[..., None] * (second - first)).astype(np.float32)


def near(rng: Rng, base: Floats, spread: float) -> Floats:
    """Return a color near another one."""
    return floats(np.clip(base + rng.normal(0, spread, 3), 0, 1))


def _turned(rng: Rng, side: int) -> tuple[Floats, Floats]:
    x, y = coordinates(side)
    angle = rng.uniform(0, np.pi)
    return x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)


def _edge(values: Floats, rng: Rng) -> Floats:
    """Return a wave from -1 to 1 as soft or sharp bands from 0 to 1."""
    return floats(np.clip(values * rng.choice([0.6, 1.5, 12.0]) + 0.5, 0, 1))


def _plain(rng: Rng, side: int) -> Floats:
    return np.broadcast_to(color(rng), (side, side, 3)).astype(np.float32)


def _linear(rng: Rng, side: int) -> Floats:
    along, _ = _turned(rng, side)
    first = color(rng)
    return mix(np.clip(along * 0.5 + 0.5, 0, 1), first, near(rng, first, 0.3))


def _radial(rng: Rng, side: int) -> Floats:
    x, y = coordinates(side)
    cx, cy = rng.uniform(-0.5, 0.5, 2)
    first = color(rng)
    return mix(np.clip(np.hypot(x - cx, y - cy) / rng.uniform(1, 2), 0, 1), first, near(rng, first, 0.3))


def _clouds(rng: Rng, side: int) -> Floats:
    first = color(rng)
    share = fractal(rng, side, int(rng.integers(2, 12)), int(rng.integers(1, 6)))
    return mix(share, first, near(rng, first, rng.uniform(0.05, 0.4)))


def _stripes(rng: Rng, side: int) -> Floats:
    along, across = _turned(rng, side)
    wave = np.sin(along * rng.uniform(6, 45) + rng.choice([0, 0, 1]) * np.sin(across * rng.uniform(3, 20)))
    first = color(rng)
    return mix(_edge(wave, rng), first, near(rng, first, 0.3))


def _dots(rng: Rng, side: int) -> Floats:
    along, across = _turned(rng, side)
    frequency = rng.uniform(6, 35)
    first = color(rng)
    product = np.sin(along * frequency) * np.sin(across * frequency)
    return mix(np.clip((product - rng.uniform(0.3, 0.7)) * 10, 0, 1), first, near(rng, first, 0.35))


def _lattice(rng: Rng, side: int) -> Floats:
    along, across = _turned(rng, side)
    frequency, thin = rng.uniform(6, 25), rng.uniform(0.8, 0.97)
    lines = np.maximum(np.sin(along * frequency), np.sin(across * frequency * rng.choice([1, 1.5])))
    first = color(rng)
    return mix(np.clip((lines - thin) * 15, 0, 1), first, near(rng, first, 0.3))


def _triangles(rng: Rng, side: int) -> Floats:
    along, across = _turned(rng, side)
    frequency = rng.uniform(4, 14)
    total = np.zeros((side, side), np.float32)
    for angle in (0, np.pi / 3, 2 * np.pi / 3):
        total += np.floor((along * np.cos(angle) + across * np.sin(angle)) * frequency)
    first = color(rng)
    return mix(floats((total % 3) / 2), first, near(rng, first, 0.3))


def _clutter(rng: Rng, side: int) -> Floats:
    """Return patches that are larger than the image's things, or reach over its edges; mostly out of focus."""
    base = color(rng)
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
    """Return a studio: a wall that bends into the floor, under a light."""
    x, y = coordinates(side)
    level, soft = rng.uniform(-0.1, 0.8), rng.uniform(0.02, 0.5)
    wall = color(rng)
    floor = np.clip(wall * rng.uniform(0.6, 1.3), 0, 1).astype(np.float32)
    ground = mix(1 / (1 + np.exp(np.clip(-(y - level) / soft, -30, 30))), wall, floor)
    glow = np.hypot(x - rng.uniform(-1, 1), y - rng.uniform(-1, 0.5)) * rng.uniform(0, 0.35)
    return floats(np.clip(ground * (1.1 - glow)[..., None], 0, 1))


def _room(rng: Rng, side: int) -> Floats:
    """Return two of the plainer grounds, above and below an edge."""
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
    base = color(rng)
    wood = mix(tone * 0.6 + grain * 0.4, base, near(rng, base, 0.18))
    gap = np.abs(across / width - board - 0.5) > 0.5 - rng.uniform(0.01, 0.05)
    return wood * np.where(gap, rng.uniform(0.4, 0.9), 1.0)[..., None].astype(np.float32)


def _mosaic(rng: Rng, side: int) -> Floats:
    """Return cells around random points, each in a color of its own, with or without joints."""
    x, y = coordinates(side)
    points = rng.uniform(-1.1, 1.1, (int(rng.integers(8, 36)), 2)).astype(np.float32)
    nearest = np.full((side, side), 9, np.float32)
    second, cell = nearest.copy(), np.zeros((side, side), np.intp)
    for number, (px, py) in enumerate(points):
        away = np.hypot(x - px, y - py)
        closer = away < nearest
        second = np.where(closer, nearest, np.minimum(second, away))
        cell[closer] = number
        nearest = np.minimum(nearest, away)
    base, spread = color(rng), rng.uniform(0.03, 0.3)
    colors = np.stack([near(rng, base, spread) for _ in points])
    joint = np.clip((rng.choice([0.0, 0.02, 0.05]) - (second - nearest)) * side / 3 + 0.5, 0, 1)
    return mix(floats(joint), colors[cell], np.broadcast_to(color(rng), (side, side, 3)).astype(np.float32))


def _ripples(rng: Rng, side: int) -> Floats:
    """Return rings around a center."""
    x, y = coordinates(side)
    cx, cy = rng.uniform(-0.8, 0.8, 2)
    wave = np.sin(np.hypot(x - cx, (y - cy) * rng.uniform(0.6, 1.6)) * rng.uniform(8, 50))
    first = color(rng)
    return mix(_edge(wave, rng), first, near(rng, first, 0.3))


def _spiral(rng: Rng, side: int) -> Floats:
    """Return arms that wind out of a center."""
    x, y = coordinates(side)
    cx, cy = rng.uniform(-0.8, 0.8, 2)
    radius, angle = np.hypot(x - cx, y - cy), np.arctan2(y - cy, x - cx)
    wind = rng.choice([-1, 1]) * rng.uniform(4, 16)
    first = color(rng)
    return mix(_edge(np.sin(angle * int(rng.integers(1, 14)) + radius * wind), rng), first, near(rng, first, 0.3))


def _motifs(rng: Rng, side: int) -> Floats:
    """Return a small drawing repeated on a skewed lattice."""
    along, across = _turned(rng, side)
    pitch = rng.uniform(0.12, 0.5)
    v = across / pitch * rng.uniform(0.6, 1.6)
    u = along / pitch + np.floor(v) * rng.uniform(0.1, 0.4)
    row, column = np.floor(v), np.floor(u)
    u, v = np.abs(u - column - 0.5), np.abs(v - row - 0.5)
    size = rng.uniform(0.15, 0.4)
    kind = int(rng.integers(4))
    drawn = (
        u + v - size,
        np.minimum(np.maximum(u, v * 4), np.maximum(u * 4, v)) - size,
        np.abs(np.hypot(u, v) - size) - 0.06,
        np.maximum(u - size, v - size / 3),
    )[kind]
    first = color(rng)
    tones = np.stack([near(rng, first, 0.3) for _ in range(7)])
    chosen = tones[((row * 3 + column * int(rng.integers(1, 7))) % int(rng.integers(1, 8))).astype(np.intp)]
    return mix(floats(np.clip(-drawn * side * pitch / 4 + 0.5, 0, 1)), np.broadcast_to(first, chosen.shape), chosen)


def _confetti(rng: Rng, side: int) -> Floats:
    """Return many small strewn polygons; sharp or out of focus, opaque or not."""
    base = color(rng)
    image = np.broadcast_to(base, (side, side, 3)).astype(np.float32)
    size, spread = rng.uniform(0.02, 0.12), rng.uniform(0.08, 0.35)
    layer, mask = Image.new("RGB", (side, side)), Image.new("L", (side, side), 0)
    pens = ImageDraw.Draw(layer), ImageDraw.Draw(mask)
    cover = int(255 * rng.uniform(0.25, 1.0))
    for _ in range(int(rng.integers(8, 60))):
        count = int(rng.integers(3, 6))
        angles = np.sort(rng.uniform(0, 2 * np.pi, count))
        middle, reach = rng.uniform(-0.05, 1.05, 2), size * rng.uniform(0.5, 1.3)
        points = [
            (float(px * side), float(py * side))
            for px, py in middle + reach * np.stack([np.cos(angles), np.sin(angles)], 1)
        ]
        pens[0].polygon(points, fill=_bytes(near(rng, base, spread)))
        pens[1].polygon(points, fill=cover)
    made = mix(floats(floats(mask) / 255), image, floats(floats(layer) / 255))
    soft = float(rng.choice([0, 0, 0.004, 0.012])) * side
    return floats(gaussian_filter(made, (soft, soft, 0))) if soft else made


def _flakes(rng: Rng, side: int) -> Floats:
    """Return crooked, flat, strewn and translucent patches of light: leaves and reflections out of focus."""
    image = np.broadcast_to(color(rng) * rng.uniform(0.3, 0.9), (side, side, 3)).astype(np.float32)
    size, around = rng.uniform(0.02, 0.1), np.linspace(0, 2 * np.pi, 24, endpoint=False)
    for _ in range(int(rng.integers(2, 5))):
        layer = Image.new("RGB", (side, side))
        pen = ImageDraw.Draw(layer)
        for _ in range(int(rng.integers(3, 10))):
            radius = size * rng.uniform(0.4, 1.3) * (1 + 0.25 * np.sin(around * int(rng.integers(2, 5))))
            turn, flat = rng.uniform(0, np.pi), rng.uniform(0.35, 0.75)
            along, across = radius * np.cos(around), radius * np.sin(around) * flat
            x = rng.uniform() + along * np.cos(turn) - across * np.sin(turn)
            y = rng.uniform() + along * np.sin(turn) + across * np.cos(turn)
            points = [(float(px * side), float(py * side)) for px, py in zip(x, y, strict=True)]
            pen.polygon(points, fill=_bytes(floats(color(rng) * rng.uniform(0.1, 0.6))))
        image = floats(image + floats(layer) / 255)
    soft = side / float(rng.choice([60, 160, 320]))
    return floats(np.clip(gaussian_filter(image, (soft, soft, 0)), 0, 1))


def _scribble(rng: Rng, side: int) -> Floats:
    """Return long lines across the image: twigs, cables, folds."""
    base = color(rng)
    canvas = Image.new("RGB", (side, side), _bytes(base))
    pen = ImageDraw.Draw(canvas)
    wide, other = rng.uniform(0.003, 0.03), near(rng, base, 0.3)
    for _ in range(int(rng.integers(5, 40))):
        points = rng.uniform(-0.3, 1.3, 2) + np.cumsum(rng.normal(0, 0.2, (7, 2)), 0)
        width = max(1, round(wide * side))
        pen.line([(float(px * side), float(py * side)) for px, py in points], _bytes(near(rng, other, 0.08)), width)
    soft = canvas.filter(ImageFilter.GaussianBlur(float(rng.choice([0, 0.004, 0.012])) * side))
    return floats(np.asarray(soft) / 255)


def bent(rng: Rng, ground: Floats) -> Floats:
    """Return the same ground seen through a wavy pane: regular patterns lose their regularity."""
    side = ground.shape[0]
    rows, columns = np.mgrid[:side, :side].astype(np.float32)
    reach, cells = rng.uniform(0.02, 0.25) * side, int(rng.integers(1, 4))
    rows += (field(rng, side, cells) - 0.5) * reach
    columns += (field(rng, side, cells) - 0.5) * reach
    return floats(ground[np.abs(rows).astype(np.intp) % side, np.abs(columns).astype(np.intp) % side])


def _checker(rng: Rng, side: int) -> Floats:
    along, across = _turned(rng, side)
    size = rng.uniform(0.12, 0.4)
    first = color(rng)
    odd = (np.floor(along / size) + np.floor(across / size)) % 2
    return mix(odd.astype(np.float32), first, near(rng, first, 0.25))


def _bricks(rng: Rng, side: int) -> Floats:
    x, y = coordinates(side)
    high = rng.uniform(0.1, 0.25)
    row = np.floor(y / high)
    column = np.floor(x / (high * 2.4) + 0.5 * (row % 2))
    u, v = x / (high * 2.4) + 0.5 * (row % 2) - column, y / high - row
    mortar = (np.minimum(v, 1 - v) < 0.06) | (np.minimum(u, 1 - u) < 0.03)
    base = color(rng)
    tone = np.sin(row * 12.99 + column * 78.23) * 0.5 + 0.5
    wall = mix(tone.astype(np.float32), base, near(rng, base, 0.15))
    return mix(mortar.astype(np.float32), wall, np.broadcast_to(color(rng), wall.shape).astype(np.float32))


def _bokeh(rng: Rng, side: int) -> Floats:
    x, y = coordinates(side)
    base = color(rng) * 0.5
    image = np.broadcast_to(base, (side, side, 3)).astype(np.float32).copy()
    for _ in range(int(rng.integers(8, 30))):
        cx, cy = rng.uniform(-1, 1, 2)
        disc = np.clip((rng.uniform(0.05, 0.2) - np.hypot(x - cx, y - cy)) * 40, 0, 1)
        image += disc[..., None] * color(rng) * rng.uniform(0.1, 0.5)
    return floats(np.clip(gaussian_filter(image, (side / 160, side / 160, 0)), 0, 1))


def _rays(rng: Rng, side: int) -> Floats:
    x, y = coordinates(side)
    cx, cy = rng.uniform(-0.4, 0.4, 2)
    wave = np.sin(np.arctan2(y - cy, x - cx) * int(rng.integers(5, 16)))
    first = color(rng)
    return mix(np.clip(wave * 8 + 0.5, 0, 1), first, near(rng, first, 0.25))


def _bytes(rgb: Floats) -> tuple[int, int, int]:
    red, green, blue = (int(255 * value) for value in rgb)
    return red, green, blue


TRAINING: dict[str, DrawBackground] = {
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
    "mosaic": _mosaic,
    "ripples": _ripples,
    "spiral": _spiral,
    "motifs": _motifs,
    "confetti": _confetti,
    "flakes": _flakes,
    "scribble": _scribble,
}
"""Backgrounds that the network learns from."""

WEIGHTS = {
    "sweep": 3.0,
    "clutter": 2.5,
    "confetti": 2.0,
    "flakes": 3.5,
    "room": 2.0,
    "mosaic": 1.5,
    "motifs": 1.5,
    "clouds": 1.5,
}
"""Relative frequencies; a background that is not named has 1."""

HELD_OUT: dict[str, DrawBackground] = {"checker": _checker, "bricks": _bricks, "bokeh": _bokeh, "rays": _rays}
"""Backgrounds of the evaluation; `composite.train` never draws one."""
