"""A rasterizer: the triangle that each pixel shows, and where in it. NumPy alone, every triangle at once."""

import msgspec
import numpy as np
from numpy.typing import NDArray

CANDIDATES = 2_000_000
"""Pairs of a triangle and a pixel that are examined together, about: 200 MB."""
STEPS = 2**31
"""Number of distinguishable depths."""

Floats = NDArray[np.float64]


class Hits(msgspec.Struct, frozen=True):
    """What the pixels show.

    `face` is int64, height x width, -1 for nothing. `weights` are those of the three corners: float32, height x width x
    3, adding up to 1.
    """

    face: NDArray[np.int64]
    weights: NDArray[np.float32]

    @property
    def seen(self) -> NDArray[np.bool_]:
        """Where there is something."""
        return self.face >= 0

    def blend(self, values: NDArray[np.floating], faces: NDArray[np.integer]) -> NDArray[np.float32]:
        """Return `values` (n x k, one row per vertex) where something is seen: pixels x k, in the order of `seen`."""
        corners = values[faces[self.face[self.seen]]]
        blended: NDArray[np.float32] = np.einsum("pck,pc->pk", corners, self.weights[self.seen]).astype(np.float32)
        return blended


def rasterize(points: NDArray[np.floating], faces: NDArray[np.integer], size: tuple[int, int]) -> Hits:
    """Return the nearest triangle at the center of every pixel.

    `points` is n x 3: x to the right and y down in pixels, with the center of the first pixel at 1/2, 1/2; z is larger
    for nearer points. `size` is (width, height). Both sides of a triangle are visible.
    """
    width, height = size
    best = np.zeros(width * height, np.uint64)
    corners = np.asarray(points, np.float64)[faces]
    low, extent = _boxes(corners, size)
    drawn = np.flatnonzero((extent > 0).all(axis=1) & (np.abs(_cross(corners)) > 1e-12))
    depths = corners[..., 2]
    start, span = (float(depths.min()), max(float(np.ptp(depths)), 1e-12)) if len(drawn) else (0.0, 1.0)
    for chunk in _chunks(drawn, extent.prod(axis=1)):
        number, pixel = _candidates(chunk, low, extent)
        weights = _weights(corners[number], pixel)
        inside = (weights >= -1e-9).all(axis=1)
        number, pixel, weights = number[inside], pixel[inside], weights[inside]
        depth = ((depths[number] * weights).sum(axis=1) - start) / span
        key = (np.clip(depth, 0, 1) * STEPS).astype(np.uint64) << np.uint64(32) | (number + 1).astype(np.uint64)
        np.maximum.at(best, pixel[:, 1] * width + pixel[:, 0], key)
    face = (best & np.uint64(0xFFFFFFFF)).astype(np.int64).reshape(height, width) - 1
    return Hits(face, _all_weights(corners, face))


def _boxes(corners: Floats, size: tuple[int, int]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the first pixel (x, y) and the number of pixels (across, down) whose centers a triangle can cover."""
    low = np.clip(np.ceil(corners[..., :2].min(axis=1) - 0.5), 0, size).astype(np.int64)
    high = np.clip(np.floor(corners[..., :2].max(axis=1) - 0.5), -1, np.subtract(size, 1)).astype(np.int64)
    return low, high - low + 1


def _chunks(drawn: NDArray[np.int64], counts: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Return the triangles in groups of about `CANDIDATES` pixels."""
    groups = np.cumsum(counts[drawn]) // CANDIDATES
    return np.split(drawn, np.flatnonzero(np.diff(groups)) + 1) if len(drawn) else []


def _candidates(
    chunk: NDArray[np.int64], low: NDArray[np.int64], extent: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return every pair of a triangle (its number) and a pixel (x, y) of its box."""
    counts = extent[chunk].prod(axis=1)
    number = np.repeat(chunk, counts)
    place = np.arange(len(number)) - np.repeat(np.cumsum(counts) - counts, counts)
    across = extent[number, 0]
    return number, low[number] + np.stack([place % across, place // across], axis=1)


def _cross(corners: Floats) -> Floats:
    """Return twice the signed area on the screen."""
    first, second = corners[:, 1, :2] - corners[:, 0, :2], corners[:, 2, :2] - corners[:, 0, :2]
    area: Floats = first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0]
    return area


def _weights(corners: Floats, pixel: NDArray[np.int64]) -> Floats:
    """Return the barycentric coordinates of the centers of pixels, k x 3."""
    (ax, ay), (bx, by), (cx, cy) = (corners[:, corner, :2].T for corner in range(3))
    x, y = pixel[:, 0] + 0.5, pixel[:, 1] + 0.5
    area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
    second = ((x - ax) * (cy - ay) - (y - ay) * (cx - ax)) / area
    third = ((bx - ax) * (y - ay) - (by - ay) * (x - ax)) / area
    return np.stack([1 - second - third, second, third], axis=1)


def _all_weights(corners: Floats, face: NDArray[np.int64]) -> NDArray[np.float32]:
    weights = np.zeros((*face.shape, 3), np.float32)
    rows, columns = np.nonzero(face >= 0)
    weights[rows, columns] = _weights(corners[face[rows, columns]], np.stack([columns, rows], axis=1))
    return weights
