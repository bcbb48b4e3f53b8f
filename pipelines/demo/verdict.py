"""Recognition of an image's content: connected regions, their colors, outlines and places.

Nothing here comes from the drawing code. A region's shape is read from its hole, how much of its bounding box it fills,
and the harmonics of its outline: the distance from the center to the edge as a function of the angle.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations

import numpy as np
from numpy.typing import NDArray

from pipelines.demo.regions import hole_share, outline, regions
from pipelines.demo.scene import Scene, Thing

NAMED = {
    "red": (220, 30, 30),
    "green": (35, 155, 60),
    "blue": (40, 70, 215),
    "yellow": (240, 215, 45),
    "purple": (140, 50, 175),
    "orange": (245, 140, 30),
    "white": (255, 255, 255),
    "black": (10, 10, 10),
}
MAX_COLOR_DISTANCE, APART, SPECK = 60.0, 36.0, 0.0008
SMALL_BELOW, LARGE_ABOVE = 0.1255, 0.1775
NEAR, FAR = 0.38, 0.62


@dataclass(frozen=True, slots=True)
class Seen:
    """One region: its look and its place; center and half its longer side as fractions of the image."""

    color: str
    shape: str
    x: float
    y: float
    radius: float

    @property
    def size(self) -> str:
        """The size: small, medium or large."""
        return "small" if self.radius < SMALL_BELOW else "large" if self.radius > LARGE_ABOVE else "medium"

    @property
    def place(self) -> str:
        """One of the nine places."""
        row = "top" if self.y < NEAR else "bottom" if self.y > FAR else ""
        column = "left" if self.x < NEAR else "right" if self.x > FAR else ""
        return f"{row} {column}".strip() or "center"


@dataclass(frozen=True, slots=True)
class View:
    """The content of an image: its background's color and its regions, largest first."""

    background: str
    things: tuple[Seen, ...]


@dataclass(frozen=True, slots=True)
class Verdict:
    """The parts of a caption that an image keeps; a part that the caption omits counts as kept."""

    count: bool
    background: bool
    color: bool
    shape: bool
    size: bool
    place: bool

    @property
    def whole(self) -> bool:
        """Whether everything is right."""
        return all((self.count, self.background, self.color, self.shape, self.size, self.place))


def describe_image(image: NDArray[np.uint8]) -> View:
    """Describe an (h, w, 3) image; colors or shapes that fit no name are "unknown"."""
    pixels = image.astype(np.float32)
    frame = np.concatenate([pixels[:3].reshape(-1, 3), pixels[-3:].reshape(-1, 3), pixels[:, :3].reshape(-1, 3)])
    ground = np.median(frame, axis=0)
    found = regions(np.linalg.norm(pixels - ground, axis=-1) > APART)
    kept = [mask for mask in found if mask.mean() > SPECK]
    things = [_describe(mask, pixels) for mask in sorted(kept, key=lambda mask: -int(mask.sum()))]
    return View(_name(ground), tuple(things))


def judge_image(image: NDArray[np.uint8], scene: Scene) -> Verdict:
    """Compare an (h, w, 3) image with the scene of its caption."""
    view = describe_image(image)
    wanted, count = scene.things, len(view.things) == len(scene.things)
    background = view.background == scene.background
    if len(view.things) < len(wanted):
        return Verdict(count, background, False, False, False, False)
    orders = [_compare(order, scene, count, background) for order in permutations(view.things[: len(wanted)])]
    return max(orders, key=lambda each: (each.whole, each.color + each.shape + each.place + each.size))


def _compare(seen: tuple[Seen, ...], scene: Scene, count: bool, background: bool) -> Verdict:
    pairs = list(zip(seen, scene.things, strict=True))
    if scene.relation is None:
        place = all(thing.place in (None, found.place) for found, thing in pairs)
    else:
        place = relation(seen[0], seen[1]) == scene.relation
    return Verdict(
        count,
        background,
        all(found.color == thing.color for found, thing in pairs),
        all(found.shape == thing.shape for found, thing in pairs),
        all(_size_fits(found, thing) for found, thing in pairs),
        place,
    )


def relation(first: Seen, second: Seen) -> str:
    """Return how the first stands to the second; "unknown" where neither axis clearly decides."""
    right, down = first.x - second.x, first.y - second.y
    if max(abs(right), abs(down)) < 0.25 or min(abs(right), abs(down)) > 0.12:
        return "unknown"
    if abs(right) > abs(down):
        return "right of" if right > 0 else "left of"
    return "below" if down > 0 else "above"


def _size_fits(found: Seen, thing: Thing) -> bool:
    return thing.size in (None, found.size)


def _describe(mask: NDArray[np.bool_], pixels: NDArray[np.float32]) -> Seen:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    height, width = rows[-1] - rows[0] + 1, columns[-1] - columns[0] + 1
    return Seen(
        _name(np.median(pixels[mask], axis=0)),
        _shape(mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]),
        float(columns[0] + columns[-1] + 1) / 2 / mask.shape[1],
        float(rows[0] + rows[-1] + 1) / 2 / mask.shape[0],
        float(max(width, height)) / 2 / mask.shape[1],
    )


def _name(color: NDArray[np.float32]) -> str:
    distances = {name: float(np.linalg.norm(color - np.array(rgb))) for name, rgb in NAMED.items()}
    nearest = min(distances, key=lambda name: distances[name])
    return nearest if distances[nearest] < MAX_COLOR_DISTANCE else "unknown"


def _shape(box: NDArray[np.bool_]) -> str:
    """Return the shape of a region that was cropped to its bounding box."""
    if not 0.8 < box.shape[0] / box.shape[1] < 1.25:
        return "unknown"
    fill, hole = float(box.mean()), hole_share(box)
    radii = outline(box)
    waves = np.abs(np.fft.rfft(radii)) / radii.sum()
    turn = float(np.fft.rfft(radii)[4].real)
    if hole > 0.05:
        return "ring" if 0.14 < hole < 0.5 and 0.70 < fill + hole < 0.85 and waves[1:9].max() < 0.03 else "unknown"
    if waves[1:9].max() < 0.025:
        return "circle" if 0.72 < fill < 0.84 else "unknown"
    peak = int(waves[2:7].argmax()) + 2
    if peak == 3:
        return "triangle" if 0.42 < fill < 0.60 else "unknown"
    if peak == 4 and turn < 0:
        return "square" if fill > 0.92 else "unknown"
    if peak == 4:
        return "cross" if 0.48 < fill < 0.66 else "unknown"
    if peak == 5:
        return "star" if 0.28 < fill < 0.45 else "unknown"
    return "unknown"
