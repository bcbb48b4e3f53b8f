"""Composites of hair and of things that one sees through, with their opacity."""

import numpy as np
from scipy.ndimage import gaussian_filter  # type: ignore[import-untyped]

from pipelines.matting import composite, glass, grounds, hair, shapes
from pipelines.matting.composite import MIN_CONTRAST, Composite
from pipelines.matting.grounds import mix, near
from pipelines.matting.shapes import Floats, Rng, floats, raster, silhouette

MIN_TRACE = 0.04
"""A clear thing changes what is behind it by at least this much on average, 0 to 1, else it is drawn again."""


def train(rng: Rng, side: int, kind: str) -> Composite:
    """Return a composite to learn from, `kind` "hair" or "glass"."""
    family = str(rng.choice(list((hair if kind == "hair" else glass).TRAINING)))
    weights = np.array([grounds.WEIGHTS.get(name, 1.0) for name in grounds.TRAINING])
    ground = str(rng.choice(list(grounds.TRAINING), p=weights / weights.sum()))
    return draw(rng, side, family, ground, bend=rng.random() < 0.2, soft=rng.random() < 0.35)


def held_out(kind: str, seed: int, side: int) -> Composite:
    """Return composite number `seed` of the evaluation of "hair" or "glass": families and backgrounds by turns."""
    names, kinds = list((hair if kind == "hair" else glass).HELD_OUT), list(grounds.HELD_OUT)
    rng = np.random.default_rng([20261201, len(names), seed])
    return draw(rng, side, names[seed % len(names)], kinds[seed // len(names) % len(kinds)])


def draw(rng: Rng, side: int, family: str, ground: str, *, bend: bool = False, soft: bool = False) -> Composite:
    """Return one thing of `family` on a background of the family `ground`, bent or out of focus or not."""
    while True:
        behind = (grounds.TRAINING | grounds.HELD_OUT)[ground](rng, side)
        if bend:
            behind = grounds.bent(rng, behind)
        if soft:
            wide = side * rng.uniform(0.002, 0.02)
            behind = floats(gaussian_filter(behind, (wide, wide, 0)))
        made = _clear(rng, side, family, behind) if family in CLEAR else _hairy(rng, side, family, behind)
        if made is not None:
            image, alpha = made
            return Composite(composite.camera(rng, image), alpha, family, ground)


CLEAR = glass.TRAINING | glass.HELD_OUT
HAIRY = hair.TRAINING | hair.HELD_OUT


def _hairy(rng: Rng, side: int, family: str, behind: Floats) -> tuple[Floats, Floats] | None:
    place = composite.placement(rng)
    drawn = HAIRY[family](rng)
    coverages = [(part, raster(part, place, side)) for part in drawn.body]
    body = silhouette(coverages)
    base = hair.colors(rng)
    strands, tones = hair.paint(rng, drawn.hair, place, side, base)
    alpha = floats(1 - (1 - body) * (1 - strands))
    if not 0.02 < alpha.mean() < 0.75:
        return None
    skin = near(rng, base, 0.05) if drawn.alike else rng.uniform(0, 1, 3).astype(np.float32)
    thing = composite.paint(rng, coverages, body, skin)
    thing = mix(strands, thing, tones)
    thing = np.where((body < 0.02)[..., None], tones, thing)
    around = (gaussian_filter(alpha, side / 20) > 0.05) & (alpha < 0.5)
    seen = tones[strands > 0.3]
    if not len(seen) or float(np.abs(seen.mean(0) - behind[around].mean(0)).max()) < MIN_CONTRAST:
        return None
    behind = behind * composite.shadow(rng, alpha, place)[..., None]
    return mix(alpha, behind, thing), alpha


def _clear(rng: Rng, side: int, family: str, behind: Floats) -> tuple[Floats, Floats] | None:
    place = composite.placement(rng)
    thing = CLEAR[family](rng, place, side)
    if not 0.02 < thing.coverage.mean() < 0.75:
        return None
    base = near(rng, np.ones(3, np.float32), 0.15) if rng.random() < 0.4 else rng.uniform(0, 1, 3).astype(np.float32)
    painted = composite.paint(rng, [(shapes.Part(np.zeros((1, 2))), thing.coverage)], thing.coverage, base)
    alpha, painted = _shining(rng, thing, painted)
    dark = 1 - (1 - composite.shadow(rng, thing.coverage, place)) * rng.uniform(0.1, 0.6)
    behind = behind * floats(dark)[..., None]
    through = _bent_light(rng, behind, thing) if thing.bends and rng.random() < 0.6 else behind
    image = mix(alpha, through, painted)
    if float(np.abs(image - behind)[thing.coverage > 0.5].mean()) < MIN_TRACE:
        return None
    return image, alpha


def _shining(rng: Rng, thing: glass.Clear, painted: Floats) -> tuple[Floats, Floats]:
    """Return (opacity, colors) with lights mirrored in the surface: what mirrors hides what is behind."""
    alpha = thing.opacity
    if not thing.bends:
        return alpha, painted
    side = alpha.shape[0]
    x, y = grounds.coordinates(side)
    rows, columns = np.nonzero(thing.coverage > 0.5)
    for _ in range(int(rng.integers(0, 4))):
        pick = int(rng.integers(len(rows)))
        px, py = x[0, columns[pick]], y[rows[pick], 0]
        wide, high = rng.uniform(0.01, 0.08, 2) * (1, rng.uniform(1, 5))
        lean = rng.normal(0, 0.4)
        away = np.hypot((x - px + lean * (y - py)) / wide, (y - py) / high)
        spot = np.clip((1.2 - away) / rng.uniform(0.2, 1.2), 0, 1) * thing.coverage * rng.uniform(0.4, 1.0)
        whole = alpha + spot - alpha * spot
        share = (spot / np.maximum(whole, 1e-3))[..., None]
        painted = floats(painted * (1 - share) + share)
        alpha = floats(whole)
    return alpha, painted


def _bent_light(rng: Rng, behind: Floats, thing: glass.Clear) -> Floats:
    """Return what is behind as it is seen through something thick."""
    side = behind.shape[0]
    thick = gaussian_filter(thing.coverage, side * rng.uniform(0.01, 0.05))
    dy, dx = np.gradient(thick)
    reach = rng.uniform(-1.0, 1.0) * 0.02 * side * side
    rows, columns = np.mgrid[:side, :side]
    rows = np.clip(rows + dy * reach, 0, side - 1).astype(np.intp)
    columns = np.clip(columns + dx * reach, 0, side - 1).astype(np.intp)
    return mix(thing.coverage, behind, behind[rows, columns])
