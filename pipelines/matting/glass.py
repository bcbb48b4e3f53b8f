"""Things that one sees through: panes of one opacity, vessels with thick rims, cloth, smoke."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import distance_transform_edt, gaussian_filter  # type: ignore[import-untyped]

from pipelines.matting import shapes
from pipelines.matting.grounds import fractal
from pipelines.matting.shapes import Floats, Part, Placement, Rng, ellipse, floats, raster, revolve, silhouette


@dataclass(frozen=True, slots=True)
class Clear:
    """Coverage and opacity of a thing one sees through, both (side, side) from 0 to 1, and whether it bends light."""

    coverage: Floats
    opacity: Floats
    bends: bool


DrawClear = Callable[[Rng, Placement, int], Clear]


def _thin(rng: Rng) -> float:
    """Return the opacity of a single wall."""
    return float(rng.uniform(0.05, 0.6))


def _walled(rng: Rng, coverage: Floats, wall: float, rim: float) -> Floats:
    """Return the opacity of something hollow: `wall` in its middle, up to `rim` at its edge, where the wall is deep."""
    inside = distance_transform_edt(coverage > 0.5).astype(np.float32)
    deep = max(2.0, float(inside.max()) * rng.uniform(0.1, 0.6))
    edge = np.clip(1 - inside / deep, 0, 1) ** rng.uniform(1.0, 4.0)
    return floats(coverage * (wall + (rim - wall) * edge))


def _pieces(parts: list[Part], place: Placement, side: int) -> list[tuple[Part, Floats]]:
    return [(part, raster(part, place, side)) for part in parts]


def _solid(opacity: Floats, pieces: list[tuple[Part, Floats]]) -> Floats:
    """Return `opacity` with opaque pieces over it."""
    for _, piece in pieces:
        opacity = np.maximum(opacity, piece)
    return opacity


def _vessel(rng: Rng, place: Placement, side: int) -> Clear:
    """Return a bottle or vase, empty or with a drink, sometimes with an opaque cap or label."""
    kind = str(rng.choice(["bottle", "vase", "mug"]))
    pieces = _pieces(shapes.TRAINING[kind](rng), place, side)
    covered = silhouette(pieces)
    wall = _thin(rng)
    opacity = _walled(rng, covered, wall, rng.uniform(wall, 0.95))
    if rng.random() < 0.5:
        rows = np.arange(side)[:, None] / side - place.y
        level = rng.uniform(-0.5, 0.8) * place.scale
        filled = np.clip((rows - level) * side / 2 + 0.5, 0, 1)
        opacity = opacity + (1 - opacity) * covered * floats(filled) * rng.uniform(0.1, 0.7)
    if rng.random() < 0.4 and len(pieces) > 1:
        opacity = _solid(opacity, pieces[1:2])
    return Clear(covered, floats(opacity), True)


def _orb(rng: Rng, place: Placement, side: int) -> Clear:
    """Return a ball or bubble."""
    covered = raster(Part(ellipse(0, 0, 1, rng.uniform(0.6, 1), rng.uniform(1.8, 3))), place, side)
    wall = _thin(rng)
    return Clear(covered, _walled(rng, covered, wall, rng.uniform(wall, 0.95)), True)


def _pane(rng: Rng, place: Placement, side: int) -> Clear:
    """Return a flat piece of one opacity, with or without an opaque frame."""
    parts = shapes.TRAINING[str(rng.choice(["polygon", "round", "blob", "leaf"]))](rng)
    covered = silhouette(_pieces(parts, place, side))
    opacity = covered * np.float32(rng.uniform(0.08, 0.8))
    if rng.random() < 0.4:
        outline = np.vstack([parts[-1].points, parts[-1].points[:1]])
        opacity = _solid(opacity, _pieces([Part(outline, width=rng.uniform(0.04, 0.12))], place, side))
    return Clear(np.maximum(covered, opacity), floats(opacity), bool(rng.random() < 0.3))


def _crate(rng: Rng, place: Placement, side: int) -> Clear:
    """Return walls one behind the other, whose opacities add up."""
    kind = str(rng.choice(["box", "compound", "ring"]))
    pieces, clear = _pieces(shapes.TRAINING[kind](rng), place, side), np.ones((side, side), np.float32)
    wall = rng.uniform(0.1, 0.5)
    for part, piece in pieces:
        clear = clear * (1 - wall * piece) if not part.hole else 1 - (1 - clear) * (1 - piece)
    return Clear(silhouette(pieces), floats(1 - clear), bool(rng.random() < 0.5))


def _veil(rng: Rng, place: Placement, side: int) -> Clear:
    """Return cloth: folds are denser."""
    covered = silhouette(_pieces(shapes.TRAINING[str(rng.choice(["blob", "polygon", "bag"]))](rng), place, side))
    folds = fractal(rng, side, int(rng.integers(2, 9)), 3) ** 2
    return Clear(covered, floats(covered * np.clip(_thin(rng) + folds * rng.uniform(0.1, 0.5), 0, 1)), False)


def _smoke(rng: Rng, place: Placement, side: int) -> Clear:
    """Return smoke: no edge, an opacity like clouds."""
    covered = silhouette(_pieces(shapes.TRAINING["compound"](rng), place, side))
    soft = gaussian_filter(covered, side * rng.uniform(0.01, 0.05))
    opacity = soft * (0.15 + fractal(rng, side, int(rng.integers(2, 8)), 5)) * rng.uniform(0.3, 0.9)
    return Clear(floats(soft), floats(np.clip(opacity, 0, 1)), False)


def _goblet(rng: Rng, place: Placement, side: int) -> Clear:
    """Return a wine glass, with wine or without."""
    pieces = _pieces(shapes.HELD_OUT["goblet"](rng), place, side)
    covered = silhouette(pieces)
    wall = rng.uniform(0.08, 0.3)
    opacity = _walled(rng, covered, wall, rng.uniform(0.4, 0.9))
    if rng.random() < 0.6:
        bowl = raster(Part(ellipse(0, rng.uniform(-0.65, -0.45), 0.42, 0.34, 2.5)), place, side)
        opacity = opacity + (1 - opacity) * np.minimum(bowl, covered) * rng.uniform(0.3, 0.7)
    return Clear(covered, floats(opacity), True)


def _teapot(rng: Rng, place: Placement, side: int) -> Clear:
    """Return a glass teapot with an opaque lid."""
    pieces = _pieces(shapes.HELD_OUT["teapot"](rng), place, side)
    covered, wall = silhouette(pieces), _thin(rng)
    return Clear(covered, _solid(_walled(rng, covered, wall, rng.uniform(wall, 0.9)), pieces[3:]), True)


def _bulb(rng: Rng, place: Placement, side: int) -> Clear:
    """Return a light bulb: clear glass, an opaque socket and a filament."""
    glass = raster(Part(revolve([0.05, 0.5, 0.62, 0.5, 0.22, 0.2], [-1, -0.85, -0.35, 0.1, 0.5, 0.6], 3)), place, side)
    socket = np.array([(-0.22, 0.5), (0.22, 0.5), (0.18, 1.0), (-0.18, 1.0)])
    wire = np.array([(-0.1, 0.5), (-0.15, -0.3), (0.0, -0.15), (0.15, -0.3), (0.1, 0.5)])
    opaque = _pieces([Part(socket), Part(wire, width=0.03)], place, side)
    wall = rng.uniform(0.05, 0.4)
    opacity = _solid(_walled(rng, glass, wall, rng.uniform(0.4, 0.9)), opaque)
    return Clear(np.maximum(glass, opaque[0][1]), opacity, True)


def _spectacles(rng: Rng, place: Placement, side: int) -> Clear:
    """Return two tinted lenses in an opaque frame."""
    lenses = [ellipse(x, 0, 0.42, rng.uniform(0.3, 0.42), 3) for x in (-0.52, 0.52)]
    frame = [Part(np.vstack([lens, lens[:1]]), width=0.08) for lens in lenses]
    bridge = Part(np.array([(-0.12, -0.05), (0.0, -0.12), (0.12, -0.05)]), width=0.08)
    opaque = _pieces([*frame, bridge], place, side)
    glass = silhouette(_pieces([Part(lens) for lens in lenses], place, side))
    opacity = _solid(glass * np.float32(rng.uniform(0.15, 0.75)), opaque)
    return Clear(np.maximum(glass, opacity), floats(opacity), bool(rng.random() < 0.5))


TRAINING: dict[str, DrawClear] = {
    "vessel": _vessel,
    "orb": _orb,
    "pane": _pane,
    "crate": _crate,
    "veil": _veil,
    "smoke": _smoke,
}
"""Clear things that the network learns from."""

HELD_OUT: dict[str, DrawClear] = {
    "clear goblet": _goblet,
    "clear teapot": _teapot,
    "bulb": _bulb,
    "spectacles": _spectacles,
}
"""Clear things of the evaluation."""
