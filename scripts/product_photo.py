"""Renders docs/images/product.jpg, a stoneware mug in a studio, and the mask of the mug beside it.

`python scripts/product_photo.py`: ray marching through signed distances, in numpy, some seconds on one core.
Lengths are decimetres; x to the right, y up, z away from the camera.
"""

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image

Floats = NDArray[np.float32]

WIDTH, HEIGHT = 1024, 768
FOLDER = Path(__file__).resolve().parents[1] / "docs" / "images"
STEPS, FAR, TOUCH = 110, 14.0, 0.0006

EYE, TARGET, ZOOM = (0.35, 1.42, -4.3), (0.12, 0.47, 0.0), 3.9
KEY = (-2.6, 3.4, -2.4)
"""Middle of the large softbox, at the left and above."""
STRIP = (3.0, 0.9, -0.6)
"""Middle of the narrow light at the right."""
RADIUS, TAPER, TALL, WALL, LIP = 0.46, 0.05, 1.0, 0.042, 0.024
GLAZE, CLAY, INSIDE = (0.055, 0.27, 0.30), (0.42, 0.28, 0.19), (0.16, 0.36, 0.36)
FLOOR, BACKDROP = (0.76, 0.70, 0.63), (0.58, 0.53, 0.47)


def vector(*values: float) -> Floats:
    """Three numbers as float32."""
    return np.asarray(values, np.float32)


def unit(vectors: Floats) -> Floats:
    """Of length one."""
    return np.asarray(vectors / np.linalg.norm(vectors, axis=-1, keepdims=True), np.float32)


def ramp(low: float, high: float, values: Floats) -> Floats:
    """0 below `low`, 1 above `high`, smooth between."""
    t = np.clip((values - low) / (high - low), 0, 1)
    return np.asarray(t * t * (3 - 2 * t), np.float32)


def blend(first: Floats, second: Floats, width: float) -> Floats:
    """Union of two distances with a fillet of about `width`."""
    near = np.maximum(width - np.abs(first - second), 0) / width
    return np.asarray(np.minimum(first, second) - near * near * width / 4, np.float32)


def cup(p: Floats) -> Floats:
    """The wall and the bottom, without the handle."""
    y = p[:, 1]
    radius = np.hypot(p[:, 0], p[:, 2])
    outer_radius = RADIUS + TAPER * (y / TALL - 0.5) - 0.09 * np.clip(1 - y / 0.16, 0, 1) ** 2
    outside = _slab(radius - outer_radius + LIP, np.abs(y - TALL / 2) - TALL / 2 + LIP) - LIP
    cavity = _slab(radius - outer_radius + WALL + 0.05, np.abs(y - 0.72) - 0.57) - 0.05
    cut = -cavity
    near = np.maximum(0.02 - np.abs(outside - cut), 0) / 0.02
    return np.asarray(np.maximum(outside, cut) + near * near * 0.005, np.float32)


def _slab(dx: Floats, dy: Floats) -> Floats:
    outside = np.hypot(np.maximum(dx, 0), np.maximum(dy, 0))
    return np.asarray(outside + np.minimum(np.maximum(dx, dy), 0), np.float32)


def handle(p: Floats) -> Floats:
    """A bent bar, flatter than it is wide, cut off where it would reach into the cup."""
    x, y, z = p[:, 0] - 0.44, (p[:, 1] - 0.57) / 1.08, p[:, 2]
    around = np.hypot(x, y) - 0.27
    bar = np.hypot(around / 0.045, z / 0.075) - 1
    inside = RADIUS - 0.03 - np.hypot(p[:, 0], p[:, 2])
    return np.asarray(np.maximum(bar * 0.043, inside), np.float32)


def mug(p: Floats) -> Floats:
    """Distance to the mug, of points (count, 3)."""
    turned = p @ _turn(-0.30)
    return blend(cup(turned), handle(turned), 0.05)


def _turn(angle: float) -> Floats:
    c, s = np.cos(angle), np.sin(angle)
    return np.asarray([[c, 0, s], [0, 1, 0], [-s, 0, c]], np.float32)


def march(origins: Floats, rays: Floats) -> tuple[Floats, NDArray[np.bool_]]:
    """How far each ray goes until it meets the mug, and whether it does."""
    travelled = np.zeros(len(rays), np.float32)
    hit = np.zeros(len(rays), bool)
    active = _near(origins, rays)
    for _ in range(STEPS):
        distance = mug(origins[active] + rays[active] * travelled[active, None])
        hit[active[distance < TOUCH]] = True
        travelled[active] += distance * 0.85
        active = active[(distance >= TOUCH) & (travelled[active] < FAR)]
        if not len(active):
            break
    return travelled, hit


def _near(origins: Floats, rays: Floats) -> NDArray[np.intp]:
    """Rays that pass by the mug at all."""
    middle = vector(0.12, 0.5, 0) - origins
    along = np.maximum((middle * rays).sum(1), 0)
    return np.nonzero(np.linalg.norm(middle - rays * along[:, None], axis=1) < 0.95)[0]


def normals(p: Floats) -> Floats:
    """Directions in which the distance grows fastest."""
    step = np.float32(0.0012)
    slopes = []
    for axis in range(3):
        shift = np.zeros(3, np.float32)
        shift[axis] = step
        slopes.append(mug(p + shift) - mug(p - shift))
    return unit(np.stack(slopes, 1))


def light_left(p: Floats, towards: ArrayLike, softness: float) -> Floats:
    """Share of a light that reaches each point: a narrow miss of the mug is half a shadow."""
    ray = unit(np.asarray(towards, np.float32) - p)
    left = np.ones(len(p), np.float32)
    travelled = np.full(len(p), 0.02, np.float32)
    active = _near(p, ray)
    for _ in range(50):
        distance = mug(p[active] + ray[active] * travelled[active, None])
        left[active] = np.minimum(left[active], 0.5 + 0.5 * softness * distance / travelled[active])
        travelled[active] += np.clip(np.abs(distance), 0.015, 0.12)
        active = active[(travelled[active] < 2.6) & (left[active] > 0)]
        if not len(active):
            break
    share = np.clip(left, 0, 1)
    return np.asarray(share * share * (3 - 2 * share), np.float32)


def openness(p: Floats, normal: Floats) -> Floats:
    """Share of the surroundings that is not hidden by the mug or the floor (ambient occlusion)."""
    hidden = np.zeros(len(p), np.float32)
    for number, reach in enumerate((0.03, 0.08, 0.16, 0.3, 0.5)):
        q = p + normal * np.float32(reach)
        hidden += np.maximum(reach - np.minimum(np.abs(mug(q)), np.maximum(q[:, 1], 0)), 0) * 0.62**number
    return np.asarray(np.clip(1 - 1.5 * hidden, 0.05, 1), np.float32)


def lamps(p: Floats, ray: Floats) -> Floats:
    """What a mirror at `p` shows of the studio along `ray`: softbox, reflectors that stand on the floor, a dim room."""
    room = 0.20 + 0.30 * ramp(-0.2, 1.0, ray[:, 1])
    seen = room + (0.55 - room) * ramp(0.05, -0.15, ray[:, 1])
    for center, wide, high, power in (
        (KEY, 0.95, 1.1, 9.0),
        ((-2.6, 0.3, -2.2), 0.42, 1.5, 2.5),
        (STRIP, 0.2, 2.4, 1.0),
    ):
        facing = unit(vector(0.1, 0.5, 0) - vector(*center))
        side = unit(np.cross(facing, vector(0, 1, 0)).astype(np.float32))
        top = np.cross(side, facing)
        slope = ray @ -facing
        away = ((vector(*center) - p) @ -facing) / np.maximum(slope, 1e-3)
        where = p + ray * away[:, None] - vector(*center)
        edge = np.maximum(np.abs(where @ side) - wide, np.abs(where @ top) - high)
        seen = seen + power * ramp(0.06, -0.06, edge) * (slope > 1e-3)
    return np.asarray(seen, np.float32)


def noise(p: Floats, scale: float, seed: int) -> Floats:
    """Smooth values from 0 to 1 on a lattice of `1 / scale`."""
    q = p * scale
    base = np.floor(q).astype(np.int64)
    share = (q - base).astype(np.float32)
    share = share * share * (3 - 2 * share)
    total = np.zeros(len(p), np.float32)
    for corner in np.ndindex(2, 2, 2):
        cell = base + corner
        mixed = cell[:, 0] * 73856093 ^ cell[:, 1] * 19349663 ^ cell[:, 2] * 83492791 ^ seed * 2654435761
        mixed = (mixed ^ (mixed >> 13)) * 1274126177
        value = ((mixed ^ (mixed >> 16)) & 0xFFFF).astype(np.float32) / 65535
        total += value * np.prod(np.where(corner, share, 1 - share), axis=1)
    return total


def shade_mug(p: Floats, ray: Floats) -> Floats:
    """Color of the mug: glaze over the upper part, raw clay below, the inside light."""
    normal = normals(p)
    turned = p @ _turn(-0.30)
    line = 0.25 + 0.018 * np.sin(3 * np.arctan2(turned[:, 2], turned[:, 0]) + 1) + 0.03 * (noise(turned, 7, 1) - 0.5)
    glazed = ramp(-0.006, 0.006, turned[:, 1] - line)
    within = ramp(0.0, 0.02, RADIUS + TAPER * (turned[:, 1] - 0.5) - 0.022 - np.hypot(turned[:, 0], turned[:, 2]))
    within = within * (turned[:, 1] > 0.1)
    tone = 0.82 + 0.36 * noise(turned * vector(1, 2.2, 1), 9, 2)
    color = vector(*CLAY) * (0.85 + 0.3 * noise(turned, 45, 3))[:, None]
    color = color + (vector(*GLAZE) * tone[:, None] - color) * glazed[:, None]
    thin = ramp(0.975, 0.995, turned[:, 1]) * (1 - within)
    color = color + (vector(0.30, 0.19, 0.12) - color) * (thin * 0.25)[:, None]
    color = color + (vector(*INSIDE) - color) * within[:, None]
    specks = ramp(0.76, 0.9, noise(turned, 60, 4)) * ramp(0.3, 0.6, noise(turned, 8, 5)) * 0.45
    color = color * (1 - specks)[:, None]
    gloss = np.maximum(glazed, within)
    return _lit(p, ray, normal, color, gloss)


def _lit(p: Floats, ray: Floats, normal: Floats, color: Floats, gloss: Floats) -> Floats:
    away = p + normal * np.float32(0.006)
    key = np.maximum((normal * unit(vector(*KEY) - p)).sum(1), 0) * light_left(away, KEY, 5)
    rim = np.maximum((normal * unit(vector(*STRIP) - p)).sum(1), 0)
    open_ = openness(p, normal)
    sky = (0.20 + 0.10 * normal[:, 1]) * open_
    bounce = 0.16 * np.maximum(-normal[:, 1] * 0.7 + 0.3, 0) * ramp(1.1, 0.0, p[:, 1]) * open_
    diffuse = color * (1.15 * key + 0.16 * rim * open_ + sky)[:, None] + color * vector(*FLOOR) * bounce[:, None]
    mirrored = ray - 2 * (ray * normal).sum(1)[:, None] * normal
    fresnel = 0.04 + 0.96 * (1 - np.clip(-(ray * normal).sum(1), 0, 1)) ** 5
    room = lamps(p, mirrored)
    shine = fresnel * room * (gloss * 0.9 + 0.05) * np.clip(open_ * 1.3, 0, 1)
    return np.asarray(diffuse + shine[:, None], np.float32)


def shade_floor(p: Floats) -> Floats:
    """Paper that bends up into the backdrop: light near the mug, darker towards the back and the corners."""
    back = ramp(0.5, 9.0, p[:, 2])
    color = vector(*FLOOR) + (vector(*BACKDROP) - vector(*FLOOR)) * back[:, None]
    pool = 0.4 + 0.6 * np.exp(-(((p[:, 0] + 0.3) / 3.0) ** 2) - ((p[:, 2] - 0.2) / 6.0) ** 2)
    normal = np.broadcast_to(vector(0, 1, 0), p.shape).astype(np.float32)
    close = np.linalg.norm(p - vector(0.12, 0, 0), axis=1) < 3
    key, open_ = np.ones(len(p), np.float32), np.ones(len(p), np.float32)
    raised = p[close] + vector(0, 0.004, 0)
    key[close] = light_left(raised, KEY, 2.6)
    open_[close] = openness(raised, normal[close])
    return np.asarray(color * (pool * (0.26 + 0.74 * key) * (0.25 + 0.75 * open_) + 0.06)[:, None], np.float32)


def render(width: int, height: int, jitter: tuple[float, float]) -> tuple[Floats, Floats]:
    """One sample per pixel: linear color (height, width, 3), and 1 where the mug is."""
    forward = unit(vector(*TARGET) - vector(*EYE))
    right = unit(np.cross(vector(0, 1, 0), forward).astype(np.float32))
    up = np.cross(forward, right)
    columns, rows = np.meshgrid(np.arange(width) + jitter[0], np.arange(height) + jitter[1])
    u, v = (2 * columns - width) / height, (height - 2 * rows) / height
    rays = unit((u[..., None] * right + v[..., None] * up + ZOOM * forward).reshape(-1, 3).astype(np.float32))
    eye = np.broadcast_to(vector(*EYE), rays.shape).astype(np.float32)
    travelled, hit = march(eye, rays)
    color = np.zeros_like(rays)
    reach = np.where(rays[:, 1] < -0.02, -EYE[1] / np.minimum(rays[:, 1], -0.02), 60.0).astype(np.float32)
    ground = (eye + rays * np.minimum(reach, 60)[:, None])[~hit]
    ground[:, 1] = 0
    color[~hit] = shade_floor(ground)
    color[hit] = shade_mug((eye + rays * travelled[:, None])[hit], rays[hit])
    return color.reshape(height, width, 3), hit.reshape(height, width).astype(np.float32)


def develop(color: Floats, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Linear light as a photograph: highlights rolled off, sRGB, a little grain."""
    rolled = 1 - np.exp(-1.5 * color)
    encoded = np.where(rolled < 0.0031308, rolled * 12.92, 1.055 * rolled ** (1 / 2.4) - 0.055)
    grain = rng.normal(0, 0.006, encoded.shape[:2])[..., None]
    return np.asarray(np.clip((encoded + grain) * 255 + 0.5, 0, 255), np.uint8)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=FOLDER)
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--samples", type=int, default=3, help="along each side of a pixel")
    options = parser.parse_args()
    width, height = int(WIDTH * options.scale), int(HEIGHT * options.scale)
    steps = (np.arange(options.samples) + 0.5) / options.samples
    shots = [render(width, height, (float(x), float(y))) for x in steps for y in steps]
    color = np.asarray(np.mean([np.minimum(shot[0], 4) for shot in shots], axis=0), np.float32)
    mask = np.mean([shot[1] for shot in shots], axis=0)
    photo = Image.fromarray(develop(color, np.random.default_rng(7)))
    photo.save(options.out / "product.jpg", quality=90, optimize=True)
    Image.fromarray((mask * 255 + 0.5).astype(np.uint8)).save(options.out / "product_mask.png", optimize=True)


if __name__ == "__main__":
    main()
