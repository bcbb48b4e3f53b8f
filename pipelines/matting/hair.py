"""Things with hair: strands finer than a pixel over an opaque body, each in a color near the others."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from pipelines.matting import grounds, shapes
from pipelines.matting.grounds import near
from pipelines.matting.shapes import Floats, Part, Points, Rng, ellipse, floats, smooth

OVERSAMPLING = 3
STEPS = 9
"""Points of a strand."""


@dataclass(frozen=True, slots=True)
class Strands:
    """Curves (count, STEPS, 2) in the square of a shape, and their width there."""

    curves: Points
    width: float


@dataclass(frozen=True, slots=True)
class Hairy:
    """A body, its hair, and whether the body has the color of the hair."""

    body: list[Part]
    hair: list[Strands]
    alike: bool = True


DrawHair = Callable[[Rng], Hairy]


def grow(rng: Rng, roots: Points, angles: Points, length: float, *, curl: float, fall: float) -> Points:
    """Return strands from `roots` (count, 2) towards `angles` (radians) of about `length`.

    `curl` is how much a strand turns on its way, in radians; `fall` how far its tip hangs down.
    """
    count = len(roots)
    turn = rng.normal(0, curl, (count, 1)) * np.linspace(0, 1, STEPS) ** 1.3
    wave = 0.5 * curl * np.sin(np.linspace(0, rng.uniform(2, 9), STEPS) + rng.uniform(0, 6.3, (count, 1)))
    heading = angles[:, None] + turn + wave
    step = (length / STEPS) * np.exp(rng.normal(0, 0.35, (count, 1)))
    moves = np.stack([np.cos(heading), np.sin(heading)], 2) * step[..., None]
    moves[..., 1] += fall / STEPS * np.linspace(0, 2, STEPS)
    moves[:, 0] = 0
    return np.asarray(roots[:, None] + np.cumsum(moves, 1), np.float64)


def paint(rng: Rng, hair: list[Strands], place: shapes.Placement, side: int, base: Floats) -> tuple[Floats, Floats]:
    """Return (coverage, colors) of all strands: (side, side) from 0 to 1, and (side, side, 3)."""
    large = side * OVERSAMPLING
    mask, tones = Image.new("L", (large, large), 0), Image.new("RGB", (large, large))
    pens = ImageDraw.Draw(mask), ImageDraw.Draw(tones)
    spread = rng.uniform(0.02, 0.12)
    for strands in hair:
        points = place.apply(strands.curves.reshape(-1, 2), large).reshape(*strands.curves.shape)
        width = max(1, round(strands.width * place.scale * large))
        for strand in points:
            path = [(float(x), float(y)) for x, y in strand]
            red, green, blue = (int(255 * value) for value in near(rng, base, spread))
            for part, thick in ((path, max(1, width - 1)), (path[: STEPS // 2 + 1], width)):
                pens[0].line(part, fill=255, width=thick)
                pens[1].line(part, fill=(red, green, blue), width=thick)
    coverage = floats(floats(mask.reduce(OVERSAMPLING)) / 255)
    seen = floats(floats(tones.reduce(OVERSAMPLING)) / 255)
    return coverage, floats(np.clip(seen / np.maximum(coverage, 0.02)[..., None], 0, 1))


def _outline(rng: Rng, parts: list[Part], count: int) -> tuple[Points, Points]:
    """Return points along the outline of the first part, and the directions away from its middle."""
    points = parts[0].points
    middle = points.mean(0)
    first = rng.integers(0, len(points), count)
    share = rng.uniform(0, 1, (count, 1))
    roots = points[first] * share + points[(first + 1) % len(points)] * (1 - share)
    away = roots - middle
    return middle + away * rng.uniform(0.8, 1.0, (count, 1)), np.arctan2(away[:, 1], away[:, 0])


def _fine(rng: Rng) -> float:
    return float(rng.uniform(0.004, 0.018))


def _fur(rng: Rng) -> Hairy:
    """Return a plush thing: short strands all around."""
    body = shapes.TRAINING[str(rng.choice(["blob", "round", "polygon", "vase", "shoe", "bag"]))](rng)
    body = [Part(part.points * 0.75, part.width, part.hole) for part in body if not part.width][:1]
    roots, angles = _outline(rng, body, int(rng.integers(250, 700)))
    angles = angles + rng.normal(0, rng.uniform(0.1, 0.5), len(angles))
    length = rng.uniform(0.1, 0.45)
    strands = grow(rng, roots, angles, length, curl=rng.uniform(0.1, 0.8), fall=rng.uniform(0, 0.2))
    return Hairy(body, [Strands(strands, _fine(rng))])


def _locks(rng: Rng) -> Hairy:
    """Return bundles of long strands that hang from a round body."""
    hair = []
    body = [Part(ellipse(0, -0.35, rng.uniform(0.25, 0.5), rng.uniform(0.25, 0.5), rng.uniform(1.8, 4)))]
    for _ in range(int(rng.integers(4, 12))):
        count, angle = int(rng.integers(20, 70)), rng.uniform(-np.pi, np.pi)
        root = np.array([0.3 * np.cos(angle), -0.35 + 0.3 * np.sin(angle)])
        roots = root + rng.normal(0, 0.06, (count, 2))
        angles = angle + rng.normal(0, rng.uniform(0.05, 0.35), count)
        length, fall = rng.uniform(0.3, 1.0), rng.uniform(0.1, 1.0)
        hair.append(Strands(grow(rng, roots, angles, length, curl=rng.uniform(0.1, 0.6), fall=fall), _fine(rng)))
    return Hairy(body, hair, alike=bool(rng.random() < 0.6))


def _frizz(rng: Rng) -> Hairy:
    """Return curls that wander about a body."""
    body = [Part(ellipse(0, 0, rng.uniform(0.25, 0.5), rng.uniform(0.25, 0.5)))]
    roots, angles = _outline(rng, body, int(rng.integers(150, 420)))
    strands = grow(rng, roots, angles, rng.uniform(0.3, 0.9), curl=rng.uniform(1.2, 3.0), fall=rng.uniform(0, 0.3))
    return Hairy(body, [Strands(strands, _fine(rng))], alike=bool(rng.random() < 0.6))


def _brush(rng: Rng) -> Hairy:
    """Return straight bristles out of a bar."""
    wide = rng.uniform(0.3, 0.9)
    bar = Part(np.array([(-wide, 0.3), (wide, 0.3), (wide, 0.7), (-wide, 0.7)]))
    count = int(rng.integers(120, 500))
    x = rng.uniform(-wide, wide, count)
    roots = np.stack([x, np.full(count, 0.32)], 1)
    angles = -np.pi / 2 + x * rng.uniform(-0.2, 0.7) + rng.normal(0, rng.uniform(0.02, 0.15), count)
    strands = grow(rng, roots, angles, rng.uniform(0.6, 1.3), curl=rng.uniform(0, 0.15), fall=0)
    return Hairy([bar], [Strands(strands, _fine(rng))], alike=bool(rng.random() < 0.3))


def _feather(rng: Rng) -> Hairy:
    """Return a quill with barbs on either side."""
    bend = rng.uniform(-0.4, 0.4)
    t = np.linspace(0, 1, 30)
    quill = np.stack([bend * np.sin(np.pi * t), 1 - 2 * t], 1)
    count = int(rng.integers(200, 600))
    at, side = rng.uniform(0.15, 0.98, count), rng.choice([-1.0, 1.0], count)
    roots = np.stack([bend * np.sin(np.pi * at), 1 - 2 * at], 1)
    angles = -np.pi / 2 + side * rng.uniform(0.5, 1.1) + rng.normal(0, 0.08, count)
    strands = grow(rng, roots, angles, rng.uniform(0.25, 0.6), curl=rng.uniform(0.05, 0.5), fall=0)
    return Hairy([Part(quill, width=rng.uniform(0.03, 0.08))], [Strands(strands, _fine(rng))])


def _tuft(rng: Rng) -> Hairy:
    """Return blades that fan out of a pot."""
    top = rng.uniform(0.2, 0.5)
    pot = Part(np.array([(-top, 0.45), (top, 0.45), (top * 0.7, 1), (-top * 0.7, 1)]))
    count = int(rng.integers(80, 350))
    roots = np.stack([rng.uniform(-top, top, count) * 0.9, np.full(count, 0.5)], 1)
    angles = -np.pi / 2 + rng.normal(0, rng.uniform(0.15, 0.6), count)
    strands = grow(rng, roots, angles, rng.uniform(0.8, 1.5), curl=rng.uniform(0.1, 0.7), fall=rng.uniform(0, 0.8))
    return Hairy([pot], [Strands(strands, _fine(rng) * 1.5)], alike=False)


def _wisps(rng: Rng) -> Hairy:
    """Return a small body with few, long and fine hairs."""
    body = [Part(ellipse(0, 0, rng.uniform(0.15, 0.5), rng.uniform(0.15, 0.5), rng.uniform(1.6, 4)))]
    roots, angles = _outline(rng, body, int(rng.integers(30, 160)))
    angles = angles + rng.normal(0, rng.uniform(0.2, 1.0), len(angles))
    length, curl = rng.uniform(0.4, 1.1), rng.uniform(0.1, 1.6)
    strands = grow(rng, roots, angles, length, curl=curl, fall=rng.uniform(0, 0.6))
    return Hairy(body, [Strands(strands, rng.uniform(0.004, 0.01))], alike=bool(rng.random() < 0.5))


def _mop(rng: Rng) -> Hairy:
    """Return a thing of any outline with strands that are combed one way over it."""
    body = shapes.TRAINING[str(rng.choice(["blob", "round", "polygon", "box", "leaf", "mug"]))](rng)
    body = [Part(part.points * 0.6, part.width, part.hole) for part in body if not part.width][:1]
    roots, _ = _outline(rng, body, int(rng.integers(150, 600)))
    roots = roots * rng.uniform(0.3, 1, (len(roots), 1))
    angles = rng.uniform(-np.pi, np.pi) + rng.normal(0, rng.uniform(0.05, 0.5), len(roots))
    length, curl = rng.uniform(0.3, 1.1), rng.uniform(0.05, 0.8)
    strands = grow(rng, roots, angles, length, curl=curl, fall=rng.uniform(0, 0.5))
    return Hairy(body, [Strands(strands, _fine(rng))], alike=bool(rng.random() < 0.5))


def _thistle(rng: Rng) -> Hairy:
    """Return stiff spines of two lengths all around an uneven body."""
    body = shapes.TRAINING[str(rng.choice(["blob", "polygon", "leaf"]))](rng)
    body = [Part(part.points * 0.5, part.width, part.hole) for part in body if not part.width][:1]
    hair = []
    for length in rng.uniform(0.15, 0.8, 2):
        roots, angles = _outline(rng, body, int(rng.integers(40, 250)))
        angles = angles + rng.normal(0, rng.uniform(0.05, 0.3), len(angles))
        hair.append(Strands(grow(rng, roots, angles, float(length), curl=rng.uniform(0, 0.2), fall=0), _fine(rng)))
    return Hairy(body, hair, alike=bool(rng.random() < 0.5))


def _twigs(rng: Rng) -> Hairy:
    """Return bowed stems out of one place with finer branches along them."""
    count = int(rng.integers(4, 16))
    angles = -np.pi / 2 + rng.normal(0, rng.uniform(0.3, 0.9), count)
    stems = grow(rng, np.tile([0.0, 0.7], (count, 1)), angles, rng.uniform(0.9, 1.5), curl=0.5, fall=0.1)
    at = rng.integers(2, STEPS - 1, (count, int(rng.integers(4, 16))))
    rows = np.arange(count)[:, None]
    roots = stems[rows, at].reshape(-1, 2)
    way = (stems[rows, at + 1] - stems[rows, at]).reshape(-1, 2)
    turned = np.arctan2(way[:, 1], way[:, 0]) + rng.choice([-1.0, 1.0], len(way)) * rng.uniform(0.3, 1.0, len(way))
    branches = grow(rng, roots, turned, rng.uniform(0.15, 0.5), curl=rng.uniform(0.1, 0.8), fall=0)
    width = _fine(rng)
    low = rng.uniform(0.12, 0.4)
    pot = Part(np.array([(-low, 0.6), (low, 0.6), (low, 1), (-low, 1)]))
    return Hairy([pot], [Strands(stems, 1.6 * width), Strands(branches, width)], alike=bool(rng.random() < 0.3))


def _portrait(rng: Rng) -> Hairy:
    """Return head and shoulders with a cap of hair, some of which flies away."""
    wide = rng.uniform(0.28, 0.36)
    shoulders = smooth(np.array([(-0.9, 1.0), (-0.75, 0.55), (-0.15, 0.4), (0.15, 0.4), (0.75, 0.55), (0.9, 1.0)]), 2)
    body = [Part(ellipse(0, -0.2, wide, wide * 1.3)), Part(np.array([(0.0, 0.1), (0.0, 0.5)]), width=0.25)]
    count, flying = int(rng.integers(350, 700)), int(rng.integers(40, 120))
    angles = rng.uniform(-np.pi - 0.5, 0.5, count)
    roots = np.stack([wide * np.cos(angles), -0.25 + wide * 1.35 * np.sin(angles)], 1) * rng.uniform(
        0.8, 1.02, (count, 1)
    )
    long = rng.uniform(0.2, 0.6)
    cap = grow(rng, roots, angles + rng.normal(0, 0.3, count), long, curl=0.4, fall=rng.uniform(0.1, 1.0))
    loose = grow(rng, roots[:flying], angles[:flying], long * 1.2, curl=rng.uniform(0.5, 1.5), fall=0.1)
    hair = [Strands(cap, rng.uniform(0.008, 0.016)), Strands(loose, rng.uniform(0.004, 0.008))]
    return Hairy([Part(shoulders), *body], hair, alike=False)


def _tassel(rng: Rng) -> Hairy:
    """Return a knob with a skirt of hanging threads."""
    knob = Part(ellipse(0, -0.6, rng.uniform(0.16, 0.26), rng.uniform(0.18, 0.28)))
    count = int(rng.integers(100, 320))
    x = rng.uniform(-0.16, 0.16, count)
    roots = np.stack([x, np.full(count, -0.42)], 1)
    angles = np.pi / 2 - x * rng.uniform(0.5, 3.5) + rng.normal(0, 0.06, count)
    strands = grow(rng, roots, angles, rng.uniform(0.9, 1.4), curl=rng.uniform(0.05, 0.3), fall=0.1)
    cord = Part(np.array([(0.0, -1.0), (0.0, -0.7)]), width=0.05)
    return Hairy([knob, cord], [Strands(strands, _fine(rng))])


def _dandelion(rng: Rng) -> Hairy:
    """Return a stalk with a ball of rays, each with a tuft of its own at its end."""
    stalk = Part(
        smooth(np.array([(0.0, -0.3), (rng.uniform(-0.2, 0.2), 0.4), (0.0, 1.0)]), 2, closed=False), width=0.06
    )
    count = int(rng.integers(50, 110))
    angles = rng.uniform(0, 2 * np.pi, count)
    middle = np.array([0.0, -0.35])
    rays = grow(rng, np.tile(middle, (count, 1)), angles, rng.uniform(0.4, 0.6), curl=0.1, fall=0)
    ends = np.repeat(rays[:, -1], 6, 0)
    fans = np.repeat(angles, 6) + rng.uniform(-1.1, 1.1, 6 * count)
    tufts = grow(rng, ends, fans, 0.16, curl=0.2, fall=0)
    core = Part(ellipse(0, -0.35, 0.08, 0.08))
    width = rng.uniform(0.005, 0.01)
    return Hairy([core, stalk], [Strands(rays, width), Strands(tufts, width)])


TRAINING: dict[str, DrawHair] = {
    "fur": _fur,
    "locks": _locks,
    "frizz": _frizz,
    "brush": _brush,
    "feather": _feather,
    "tuft": _tuft,
    "wisps": _wisps,
    "mop": _mop,
    "thistle": _thistle,
    "twigs": _twigs,
}
"""Hair that the network learns from."""

HELD_OUT: dict[str, DrawHair] = {"portrait": _portrait, "tassel": _tassel, "dandelion": _dandelion}
"""Hair of the evaluation."""


def colors(rng: Rng) -> Floats:
    """Return a color of hair: mostly one between black and blond, else any."""
    if rng.random() < 0.4:
        return grounds.color(rng)
    dark, light = np.array([0.08, 0.06, 0.05]), np.array([0.85, 0.7, 0.5])
    return near(rng, floats(dark + rng.uniform() * (light - dark)), 0.04)
