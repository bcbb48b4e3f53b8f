"""Edges of a picture by Canny's algorithm (A Computational Approach to Edge Detection, 1986). NumPy, no torch."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Plane = NDArray[np.float32]

SIGMA = 1.4
"""Of the Gaussian that smooths the picture first, in pixels."""
WEAK, STRONG = 100.0, 200.0
"""Lengths of the gradient, of gray values of 0 to 255 under Sobel's kernels: an edge has a strong pixel, and all weak
ones that touch it."""


def draw_edges(image: Image.Image) -> Image.Image:
    """Return an RGB image of the same size: white where `image` has an edge, which is one pixel wide, else black."""
    gray = _smoothed(np.asarray(image.convert("L"), np.float32))
    across, down = _gradient(gray)
    length = np.hypot(across, down)
    thin = np.where(_is_ridge(length, across, down), length, 0.0)
    edges = _connected(thin >= STRONG, thin >= WEAK)
    return Image.fromarray(np.where(edges, np.uint8(255), np.uint8(0))).convert("RGB")


def _smoothed(gray: Plane) -> Plane:
    reach = round(3 * SIGMA)
    kernel = np.exp(-(np.arange(-reach, reach + 1) ** 2) / (2 * SIGMA**2)).astype(np.float32)
    kernel /= kernel.sum()
    for axis in (0, 1):
        padded = np.pad(gray, [(reach, reach) if each == axis else (0, 0) for each in (0, 1)], mode="edge")
        size = gray.shape[axis]
        gray = sum(weight * padded.take(range(n, n + size), axis) for n, weight in enumerate(kernel))
    return gray


def _gradient(gray: Plane) -> tuple[Plane, Plane]:
    """Return the change across and down, by Sobel's kernels."""
    padded = np.pad(gray, 1, mode="edge")
    rows = padded[:-2] + 2 * padded[1:-1] + padded[2:]
    columns = padded[:, :-2] + 2 * padded[:, 1:-1] + padded[:, 2:]
    return rows[:, 2:] - rows[:, :-2], columns[2:] - columns[:-2]


def _is_ridge(length: Plane, across: Plane, down: Plane) -> NDArray[np.bool_]:
    """Return which pixels have no longer gradient beside them in its direction, of the four that a grid has."""
    direction = np.round(np.arctan2(down, across) / (np.pi / 4)).astype(int) % 4
    padded = np.pad(length, 1)
    height, width = length.shape

    def beside(rows: int, columns: int) -> Plane:
        return padded[1 + rows : 1 + rows + height, 1 + columns : 1 + columns + width]

    steps = ((0, 1), (1, 1), (1, 0), (1, -1))
    ridges = [(length > beside(-rows, -columns)) & (length >= beside(rows, columns)) for rows, columns in steps]
    return np.choose(direction, ridges)


def _connected(strong: NDArray[np.bool_], weak: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the pixels of `weak` that a way over others of it leads to from one of `strong`."""
    found = strong
    while True:
        padded = np.pad(found, 1)
        height, width = found.shape
        grown = weak & np.any([padded[r : r + height, c : c + width] for r in range(3) for c in range(3)], axis=0)
        if np.array_equal(grown, found):
            return found
        found = grown
