"""A rasterizer: the triangle that each pixel shows, and where in it. NumPy alone, every triangle at once.

A triangle covers a span of pixels in each row that it crosses, so that no pixel beside it is looked at.
"""

import msgspec
import numpy as np
from numpy.typing import NDArray

CANDIDATES = 2_000_000
"""Pairs of a triangle and a pixel of its box that are examined together, about: 100 MB."""
STEPS = 2.0**31
"""Number of distinguishable depths."""
ON_EDGE = 1e-9
"""Pixels by which a center may lie beside a triangle, since it lies on the edge of two."""

Floats = NDArray[np.float64]
Numbers = NDArray[np.int64]


class Hits(msgspec.Struct, frozen=True):
    """What the pixels show.

    `face` is int64, height x width, -1 for nothing. `weights` are those of the three corners where something is seen:
    float32, pixels x 3, in the order of `seen`, adding up to 1.
    """

    face: Numbers
    weights: NDArray[np.float32]

    @property
    def seen(self) -> NDArray[np.bool_]:
        """Where there is something."""
        return self.face >= 0

    def blend(self, values: NDArray[np.floating], faces: NDArray[np.integer]) -> NDArray[np.float32]:
        """Return `values` (n x k, one row per vertex) where something is seen: pixels x k, in the order of `seen`."""
        given, shown = values.astype(np.float32), faces[self.face[self.seen]]
        blended: NDArray[np.float32] = given[shown[:, 0]] * self.weights[:, :1]
        for corner in (1, 2):
            blended += given[shown[:, corner]] * self.weights[:, corner : corner + 1]
        return blended


def rasterize(points: NDArray[np.floating], faces: NDArray[np.integer], size: tuple[int, int]) -> Hits:
    """Return the nearest triangle at the center of every pixel.

    `points` is n x 3: x to the right and y down in pixels, with the center of the first pixel at 1/2, 1/2; z is larger
    for nearer points. `size` is (width, height). Both sides of a triangle are visible.
    """
    width, height = size
    best = np.zeros(width * height, np.uint64)
    corners = np.ascontiguousarray(np.asarray(points, np.float64).T)[:, faces.T]  # x, y, z of each corner of each face
    low, extent = _boxes(corners, size)
    drawn = np.flatnonzero((extent > 0).all(axis=0) & (np.abs(_area(corners)) > 1e-12))
    if len(drawn):
        start = corners[2].min()
        corners[2] = (corners[2] - start) * (STEPS / max(corners[2].max() - start, 1e-12))
    for chunk in _chunks(drawn, extent.prod(axis=0)):
        number, pixel, depth = _covered(corners[..., chunk], low[1, chunk], extent[1, chunk], width)
        key = np.clip(depth, 0, STEPS).astype(np.uint64) << np.uint64(32) | (chunk[number] + 1).astype(np.uint64)
        np.maximum.at(best, pixel, key)
    face = (best & np.uint64(0xFFFFFFFF)).astype(np.int64).reshape(height, width) - 1
    return Hits(face, _weights(corners, face))


def _boxes(corners: Floats, size: tuple[int, int]) -> tuple[Numbers, Numbers]:
    """Return the first pixel (x, y) and the number of pixels (across, down) whose centers a triangle can cover."""
    ends = np.array(size)[:, None]
    low = np.clip(np.ceil(corners[:2].min(axis=1) - 0.5), 0, ends).astype(np.int64)
    high = np.clip(np.floor(corners[:2].max(axis=1) - 0.5), -1, ends - 1).astype(np.int64)
    return low, high - low + 1


def _area(corners: Floats) -> Floats:
    """Return twice the signed area on the screen."""
    (ax, bx, cx), (ay, by, cy) = corners[:2]
    area: Floats = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
    return area


def _chunks(drawn: Numbers, counts: Numbers) -> list[Numbers]:
    """Return the triangles in groups of about `CANDIDATES` pixels."""
    groups = np.cumsum(counts[drawn]) // CANDIDATES
    return np.split(drawn, np.flatnonzero(np.diff(groups)) + 1) if len(drawn) else []


def _covered(corners: Floats, top: Numbers, rows: Numbers, width: int) -> tuple[Numbers, Numbers, Floats]:
    """Return every pair of a triangle (its number) and a pixel (its place) that it covers, and the depth there.

    `top` and `rows` are the first row of each triangle and the number of its rows.
    """
    row = np.repeat(top, rows) + _counted(rows)
    left, right = _ends(corners, rows, row + 0.5)
    first = np.maximum(np.ceil(left - (0.5 + ON_EDGE)), 0).astype(np.int64)
    last = np.minimum(np.floor(right - (0.5 - ON_EDGE)), width - 1).astype(np.int64)
    depth, slope = _depths(corners, rows, first + 0.5, row + 0.5)
    counts = np.maximum(last - first + 1, 0)
    number, begin, depth, slope = (
        np.repeat(each, counts) for each in (np.repeat(np.arange(len(rows)), rows), row * width + first, depth, slope)
    )
    place = _counted(counts)
    return number, begin + place, depth + slope * place


def _counted(counts: Numbers) -> Numbers:
    """Return 0, 1, ... up to each of the counts, one after the other."""
    return np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)


def _ends(corners: Floats, rows: Numbers, y: NDArray[np.floating]) -> tuple[Floats, Floats]:
    """Return where triangles begin and end on the horizontal lines at `y`, of which each has so many `rows`."""
    x, down = corners[0].copy(), corners[1].copy()
    for upper, lower in ((0, 1), (1, 2), (0, 1)):  # the corners, from the highest to the lowest
        wrong = down[upper] > down[lower]
        for part in (x, down):
            part[upper], part[lower] = np.where(wrong, part[[lower, upper]], part[[upper, lower]])
    slopes = []
    for begin, end in ((0, 2), (0, 1), (1, 2)):
        height = down[end] - down[begin]
        slopes.append((x[end] - x[begin]) / np.where(height > 0, height, 1))
    highest, middle = down[:2]
    x0, y0, x1, y1, long, upper_slope, lower_slope = (
        np.repeat(each, rows) for each in (x[0], highest, x[1], middle, *slopes)
    )
    along = x0 + (y - y0) * long
    across = np.where(y < y1, x0 + (y - y0) * upper_slope, x1 + (y - y1) * lower_slope)
    return np.minimum(along, across), np.maximum(along, across)


def _depths(corners: Floats, rows: Numbers, x: NDArray[np.floating], y: NDArray[np.floating]) -> tuple[Floats, Floats]:
    """Return the depth of triangles at places in them, and what it is more by one pixel to the right.

    It is between those of the corners: that of a triangle without width would be anything.
    """
    (ax, bx, cx), (ay, by, cy), (az, bz, cz) = corners
    area = _area(corners)
    slope = ((bz - az) * (cy - ay) - (cz - az) * (by - ay)) / area
    fall = ((cz - az) * (bx - ax) - (bz - az) * (cx - ax)) / area
    at_zero = az - ax * slope - ay * fall
    at_zero, slope, fall, low, high = (
        np.repeat(each, rows) for each in (at_zero, slope, fall, corners[2].min(axis=0), corners[2].max(axis=0))
    )
    return np.clip(at_zero + x * slope + y * fall, low, high), slope


def _weights(corners: Floats, face: Numbers) -> NDArray[np.float32]:
    """Return the barycentric coordinates of the centers of the pixels that show something, k x 3."""
    row, column = np.nonzero(face >= 0)
    shown = face[row, column]
    (ax, bx, cx), (ay, by, cy) = corners[:2]
    area = _area(corners)
    area[area == 0] = 1  # of no triangle that is shown
    x, y = (column + 0.5 - ax[shown]).astype(np.float32), (row + 0.5 - ay[shown]).astype(np.float32)
    weights = np.empty((len(shown), 3), np.float32)
    for corner, across, down in ((1, (cy - ay) / area, (cx - ax) / area), (2, (ay - by) / area, (ax - bx) / area)):
        weights[:, corner] = x * across.astype(np.float32)[shown] - y * down.astype(np.float32)[shown]
    weights[:, 0] = 1 - weights[:, 1] - weights[:, 2]
    return weights
