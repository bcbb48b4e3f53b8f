"""Composites: a drawn thing on a drawn background with its shadow, and its matte.

`train` draws from the training families, `held_out` from the others; no family is in both.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import distance_transform_edt, gaussian_filter, shift  # type: ignore[import-untyped]

from pipelines.matting import grounds, shapes
from pipelines.matting.grounds import coordinates, field, fractal, mix, near
from pipelines.matting.shapes import Floats, Placement, Rng, floats, raster, silhouette

MIN_CONTRAST = 0.1
"""The thing differs from its surroundings by at least this much in one channel (0 to 1), else it is drawn again."""


@dataclass(frozen=True, slots=True)
class Composite:
    """An image, the matte of its thing, and the names of their families.

    `image` is uint8 (side, side, 3). `matte` is float32 (side, side), 1 where the thing is.
    """

    image: NDArray[np.uint8]
    matte: Floats
    shape: str
    ground: str


def train(rng: Rng, side: int) -> Composite:
    """Return a composite to learn from; one in forty shows no thing."""
    weights = np.array([grounds.WEIGHTS.get(name, 1.0) for name in grounds.TRAINING])
    ground = str(rng.choice(list(grounds.TRAINING), p=weights / weights.sum()))
    bend = rng.random() < 0.2
    if rng.random() < 1 / 40:
        image = camera(rng, grounds.TRAINING[ground](rng, side))
        return Composite(image, np.zeros((side, side), np.float32), "", ground)
    return draw(rng, side, str(rng.choice(list(shapes.TRAINING))), ground, bend=bend)


def held_out(seed: int, side: int) -> Composite:
    """Return composite number `seed` of the evaluation: every shape and every background by turns."""
    names, kinds = list(shapes.HELD_OUT), list(grounds.HELD_OUT)
    return draw(
        np.random.default_rng([20261121, seed]),
        side,
        names[seed % len(names)],
        kinds[seed // len(names) % len(kinds)],
    )


def draw(rng: Rng, side: int, shape: str, ground: str, *, bend: bool = False) -> Composite:
    """Return one thing of the family `shape` on a background of the family `ground`, bent or not."""
    while True:
        behind = (grounds.TRAINING | grounds.HELD_OUT)[ground](rng, side)
        if bend:
            behind = grounds.bent(rng, behind)
        place = placement(rng)
        parts = (shapes.TRAINING | shapes.HELD_OUT)[shape](rng)
        coverages = [(part, raster(part, place, side)) for part in parts]
        alpha = silhouette(coverages)
        if not 0.02 < alpha.mean() < 0.75:
            continue
        base = rng.uniform(0, 1, 3).astype(np.float32) if rng.random() < 0.7 else grounds.color(rng)
        thing = paint(rng, coverages, alpha, base)
        solid = alpha > 0.5
        around = gaussian_filter(alpha, side / 20) > 0.05
        if float(np.abs(thing[solid].mean(0) - behind[around & ~solid].mean(0)).max()) > MIN_CONTRAST:
            break
    behind = behind * shadow(rng, alpha, place)[..., None]
    if rng.random() < 0.25:
        soft = rng.uniform(0.3, 1.6) * side / 256
        alpha, thing = gaussian_filter(alpha, soft), gaussian_filter(thing, (soft, soft, 0))
    return Composite(camera(rng, mix(alpha, behind, thing)), alpha, shape, ground)


def placement(rng: Rng) -> Placement:
    """Return where a thing is: somewhere in the middle, mostly upright, a little stretched and sheared."""
    scale = rng.uniform(0.16, 0.44)
    turn = rng.normal(0, 0.25) if rng.random() < 0.7 else rng.uniform(-np.pi, np.pi)
    mirrored = rng.choice([-1.0, 1.0])
    stretch, shear = np.exp(rng.normal(0, 0.15)), rng.normal(0, 0.1)
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    matrix = rotation @ np.array([[mirrored * stretch, shear], [0.0, 1 / stretch]])
    reach = max(0.02, 0.52 - scale)
    x, y = 0.5 + rng.uniform(-reach, reach, 2)
    return Placement(float(x), float(y), float(scale), matrix)


def paint(rng: Rng, coverages: list[tuple[shapes.Part, Floats]], alpha: Floats, base: Floats) -> Floats:
    """Return the thing's colors on the whole square: a material near `base` for every part, then light on the whole."""
    thing = _material(rng, base, alpha.shape[0])
    unlike = rng.choice([0.03, 0.12, 0.4])
    for part, coverage in coverages[1:]:
        if not part.hole:
            thing = mix(coverage, thing, _material(rng, near(rng, base, unlike), alpha.shape[0]))
    light, gloss = _light(rng, alpha)
    return floats(np.clip(thing * light[..., None] + gloss[..., None], 0, 1))


def _material(rng: Rng, base: Floats, side: int) -> Floats:
    """Return a plain, cloudy, banded or patterned material."""
    kind = rng.random()
    if kind < 0.4:
        return np.broadcast_to(base, (side, side, 3)).astype(np.float32)
    other = near(rng, base, rng.uniform(0.05, 0.35))
    if kind < 0.65:
        return mix(fractal(rng, side, int(rng.integers(2, 16)), 3), base, other)
    x, y = coordinates(side)
    angle = rng.uniform(0, np.pi)
    along = x * np.cos(angle) + y * np.sin(angle)
    if kind < 0.85:
        return mix(np.clip(np.sin(along * rng.uniform(4, 50)) * 8 + 0.5, 0, 1), base, other)
    return mix(np.clip(along * rng.uniform(0.5, 2) + 0.5, 0, 1), base, other)


def _light(rng: Rng, alpha: Floats) -> tuple[Floats, Floats]:
    """Return shade and highlight of the silhouette as a pillow: its height grows with the distance from the edge."""
    side = alpha.shape[0]
    inside = distance_transform_edt(alpha[::2, ::2] > 0.5).astype(np.float32)
    depth = max(1.0, float(inside.max()) * rng.uniform(0.3, 1.0))
    rise = np.clip(inside / depth, 0, 1)
    height = gaussian_filter(np.sqrt(np.clip(1 - (1 - rise) ** 2, 0, 1)) * depth, side / 250 + depth / 12)
    dy, dx = np.gradient(height)
    strength = 1 / np.sqrt(dx**2 + dy**2 + 1)
    azimuth, up = rng.uniform(0, 2 * np.pi), rng.uniform(0.3, 0.95)
    flat = np.sqrt(1 - up**2)
    facing = np.clip((-dx * np.cos(azimuth) - dy * np.sin(azimuth)) * flat * strength + up * strength, 0, 1)
    ambient = rng.uniform(0.25, 0.85)
    shade = ambient + (1 - ambient) * facing * rng.uniform(1.0, 1.4)
    gloss = facing ** rng.uniform(8, 80) * rng.choice([0.0, 0.15, 0.7])
    return _large(shade, side), _large(gloss, side)


def _large(values: Floats, side: int) -> Floats:
    return floats(Image.fromarray(values.astype(np.float32)).resize((side, side), Image.Resampling.BILINEAR))


def shadow(rng: Rng, alpha: Floats, place: Placement) -> Floats:
    """Return what the thing takes from the light behind it: on the ground, on the wall, along its foot, or nothing."""
    side = alpha.shape[0]
    dark = rng.uniform(0.15, 0.7)
    kind = rng.random()
    if kind < 0.3:
        return np.ones_like(alpha)
    if kind < 0.6:
        away = rng.uniform(-0.08, 0.08, 2) * side
        cast = gaussian_filter(shift(alpha, away, order=1), rng.uniform(0.004, 0.06) * side)
        return floats(1 - dark * cast)
    rows = np.nonzero(alpha.max(1) > 0.5)[0]
    foot = rows[-1] / side * 2 - 1
    x, y = coordinates(side)
    if kind < 0.8:
        wide, high = place.scale * rng.uniform(1.2, 2.2), place.scale * rng.uniform(0.1, 0.5)
        lean = rng.normal(0, 0.3) * place.scale
        distance = np.hypot((x - (2 * place.x - 1) - lean) / wide, (y - foot + high * 0.3) / high)
        return floats(1 - dark * np.clip((1.2 - distance) / rng.uniform(0.2, 1.2), 0, 1))
    lying = _laid_down(rng, alpha, int(rows[-1]))
    return floats(1 - dark * gaussian_filter(lying, rng.uniform(0.004, 0.03) * side))


def _laid_down(rng: Rng, alpha: Floats, foot: int) -> Floats:
    """Return the silhouette thrown onto the ground: flattened and sheared about its foot."""
    side = alpha.shape[0]
    flat, lean = rng.uniform(0.25, 0.8), rng.uniform(-1.5, 1.5)
    towards = rng.choice([-1.0, 1.0], p=[0.3, 0.7])
    shrink = towards / flat
    affine = (1, lean * towards, -lean * towards * foot, 0, shrink, foot - shrink * foot)
    image = Image.fromarray(alpha).transform((side, side), Image.Transform.AFFINE, affine, Image.Resampling.BILINEAR)
    return floats(image)


def camera(rng: Rng, image: Floats) -> NDArray[np.uint8]:
    """Return the image with exposure, uneven light, noise, and sometimes a soft lens."""
    side = image.shape[0]
    image = floats(image * (1 + rng.normal(0, 0.08)) + rng.normal(0, 0.03))
    if rng.random() < 0.3:
        image = image * (1 + (field(rng, side, 2) - 0.5) * 0.4)[..., None]
    if rng.random() < 0.2:
        soft = rng.uniform(0.3, 1.0) * side / 256
        image = gaussian_filter(image, (soft, soft, 0))
    if rng.random() < 0.5:
        image = floats(image + rng.normal(0, rng.uniform(0.002, 0.04), image.shape))
    return (np.clip(image, 0, 1) * 255 + 0.5).astype(np.uint8)
