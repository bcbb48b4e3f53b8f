"""The closed surface of a field, with its faces outward, without sampling the field everywhere.

A coarse grid is sampled completely. Then the grid is doubled a few times, and only points near the surface are sampled:
those within two samples of a change of sign, repeatedly, until the surface has nowhere left to go. Every part that the
coarse grid found therefore comes out as if the finest grid had been sampled completely.

Fields are positive inside. Index (i, j, k) of a grid is sample (x, y, z), from -BOUND to BOUND, both included.
"""

from collections.abc import Callable

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray
from skimage.measure import marching_cubes
from torch import Tensor
from torch.nn.functional import interpolate

from core.errors.failures import NotFinite, PipelineFailed

BOUND = 1.005
"""Half the side of the cube that is searched; the model keeps its shapes within [-1, 1]."""

Field = Callable[[Tensor], Tensor]
"""Function from P x 3 float32 points to P values."""
Report = Callable[[float], None]
"""Called with the share that is done, 0 to 1, rising; an error that it raises ends the work."""


class Grid(msgspec.Struct, frozen=True, kw_only=True):
    """Resolution of the search. At the default 128 to 512 cells a side the finest volume is 540 MB.

    `near`: a coarse sample whose value is within this of the surface is refined even where no sign changes, so that
    parts thinner than a coarse cell are found. `chunk`: points per call of the field.
    """

    coarse: int = 128
    doublings: int = 2
    near: float = 0.95
    chunk: int = 32_768


def extract(field: Field, grid: Grid, device: str, report: Report) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """Return vertices (n x 3, within BOUND) and faces (m x 3, counter-clockwise from outside) of a closed surface.

    Raises `PipelineFailed` when the field has no surface, and `NotFinite`.
    """
    levels = grid.doublings + 1
    side = grid.coarse + 1
    volume = torch.empty((side, side, side), device=device)
    _ask(field, volume, torch.ones_like(volume, dtype=torch.bool), grid.chunk, _share(report, 0, 1 / levels))
    for level in range(1, levels):
        volume = _finer(field, volume, grid, _share(report, level / levels, 1 / levels))
    report(1.0)
    return surface(volume)


def _share(report: Report, start: float, length: float) -> Report:
    """Return a report for a part of the work: from `start` of the whole to `length` further."""
    return lambda part: report(start + length * part)


def _finer(field: Field, volume: Tensor, grid: Grid, report: Report) -> Tensor:
    """Return the volume at twice as many cells: sampled near the surface, interpolated elsewhere."""
    side = 2 * len(volume) - 1
    fine = interpolate(volume[None, None], size=(side, side, side), mode="trilinear", align_corners=True)[0, 0]
    fine[::2, ::2, ::2] = volume
    known = torch.zeros_like(fine, dtype=torch.bool)
    known[::2, ::2, ::2] = True
    seeds = _crossing(fine)
    seeds[::2, ::2, ::2] |= volume.abs() < grid.near
    turn = 0
    while (wanted := _dilated(seeds) & ~known).any():
        # Each turn is half of the rest: the number of turns is unknown, and progress must rise.
        _ask(field, fine, wanted, grid.chunk, _share(report, 1 - 0.5**turn, 0.5 ** (turn + 1)))
        known |= wanted
        seeds = _crossing(fine)
        turn += 1
    return fine


def _ask(field: Field, volume: Tensor, wanted: Tensor, chunk: int, report: Report) -> None:
    """Fill in `volume` where `wanted` is true."""
    side = len(volume)
    values = volume.view(-1)
    places = wanted.view(-1).nonzero()[:, 0]
    for done, part in enumerate(torch.split(places, chunk), start=1):
        index = torch.stack([part // side**2, part // side % side, part % side], dim=-1)
        # A sample that two grids share has the same coordinates in both, to the bit.
        answer = field(BOUND * (2 * (index.float() / (side - 1)) - 1))
        if not answer.isfinite().all():
            raise NotFinite("The model computed values that are not finite; it made no mesh.")
        values[part] = answer
        report(min(1.0, done * chunk / len(places)))


def _crossing(volume: Tensor) -> Tensor:
    """Return true at both ends of every grid edge on which the sign changes."""
    inside = volume > 0
    ends = torch.zeros_like(inside)
    for axis in range(3):
        length = volume.shape[axis] - 1
        changes = inside.narrow(axis, 0, length) ^ inside.narrow(axis, 1, length)
        ends.narrow(axis, 0, length).logical_or_(changes)
        ends.narrow(axis, 1, length).logical_or_(changes)
    return ends


def _dilated(mask: Tensor) -> Tensor:
    """Return true within one sample, also diagonally: with the ends of an edge, every corner of the cells around it."""
    for axis in range(3):
        length = mask.shape[axis] - 1
        wider = mask.clone()
        wider.narrow(axis, 0, length).logical_or_(mask.narrow(axis, 1, length))
        wider.narrow(axis, 1, length).logical_or_(mask.narrow(axis, 0, length))
        mask = wider
    return mask


def surface(volume: Tensor) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """Run marching cubes at 0 over a cube of samples, which it changes; closed where the shape reaches its sides.

    The result and the error are those of `extract`.
    """
    _close(volume)
    if not (volume > 0).any():
        raise PipelineFailed("The model found no shape in the image; try one with a clearer object.")
    _leave_ties(volume)
    samples = volume.cpu().numpy()
    # "ascent": values rise towards the inside. With the default the faces of such a volume would look inward.
    vertices, faces, _, _ = marching_cubes(samples, 0.0, gradient_direction="ascent")  # type: ignore[no-untyped-call]
    return BOUND * (2 * (vertices / np.float32(len(samples) - 1)) - 1), faces.astype(np.int32)


def _close(volume: Tensor) -> None:
    """Make the sides of the cube lie outside."""
    for axis in range(3):
        for end in (0, -1):
            side = volume.select(axis, end)
            side.copy_(torch.minimum(side, -side.abs()))


def _leave_ties(volume: Tensor) -> None:
    """Move values at the surface away from 0, by about a hundredth of their usual size, each a bit differently.

    Half-precision networks give zeros and equal values. A zero puts the vertices of all edges of its sample in one
    place, and a program that welds equal vertices, as most readers of mesh files do, may join parts that only touch.
    Equal values leave marching cubes undecided about a side that two cells share, and cause a hole where they decide
    differently.
    """
    ends = _crossing(volume)
    values = volume[ends]
    uneven = 1 + torch.rand(len(values), generator=torch.Generator("cpu").manual_seed(0)).to(volume.device)
    away = 0.02 * values.abs().mean() * uneven
    volume[ends] = values + torch.where(values > 0, away, -away)
