"""Connected regions of a mask, their holes and outlines, in plain numpy."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]


def regions(mask: Mask) -> list[Mask]:
    """Return the connected regions (over edges, not corners) of an (h, w) mask, each as an (h, w) mask."""
    runs = [(row, start, stop) for row, line in enumerate(mask) for start, stop in _runs(line)]
    parent = list(range(len(runs)))

    def root(index: int) -> int:
        while parent[index] != index:
            parent[index] = parent[parent[index]]
            index = parent[index]
        return index

    by_row: dict[int, list[int]] = {}
    for index, (row, start, stop) in enumerate(runs):
        for above in by_row.get(row - 1, ()):
            if runs[above][1] < stop and start < runs[above][2]:
                parent[root(index)] = root(above)
        by_row.setdefault(row, []).append(index)
    found: dict[int, Mask] = {}
    for index, (row, start, stop) in enumerate(runs):
        found.setdefault(root(index), np.zeros_like(mask))[row, start:stop] = True
    return list(found.values())


def hole_share(box: Mask) -> float:
    """Return the share (0..1) of an (h, w) mask that is empty and cut off from its border."""
    outside = np.pad(~box, 1, constant_values=True)
    return sum(float(region[1:-1, 1:-1].sum()) for region in regions(outside) if not region[0, 0]) / box.size


def outline(box: Mask, angles: int = 120) -> NDArray[np.float64]:
    """Return the distance in pixels from the center of mass to the farthest pixel along each angle, (angles,).

    Angle 0 points right and angles grow clockwise.
    """
    rows, columns = np.nonzero(box)
    y, x = rows.mean(), columns.mean()
    reach = np.arange(0, float(np.hypot(*box.shape)), 0.5)
    turns = np.arange(angles) * 2 * np.pi / angles
    ray_x = np.rint(x + np.cos(turns)[:, None] * reach).astype(int)
    ray_y = np.rint(y + np.sin(turns)[:, None] * reach).astype(int)
    inside = (ray_x >= 0) & (ray_x < box.shape[1]) & (ray_y >= 0) & (ray_y < box.shape[0])
    hit = inside & box[ray_y.clip(0, box.shape[0] - 1), ray_x.clip(0, box.shape[1] - 1)]
    farthest: NDArray[np.float64] = np.where(hit, reach, 0.0).max(axis=1)
    return farthest


def _runs(line: NDArray[np.bool_]) -> list[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(np.concatenate([[False], line, [False]]).astype(np.int8)))
    return [(int(start), int(stop)) for start, stop in zip(edges[::2], edges[1::2], strict=True)]
