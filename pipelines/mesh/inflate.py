"""An outline to a closed mesh: a height field in front and the same behind, which share the outline."""

import msgspec
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pipelines.mesh.cells import CELLS
from pipelines.mesh.thickness import LEVEL, Field, Reach, reaches, thickness

MAX_CELLS = 384
"""Cells along the longer side, at most."""


class Shape(msgspec.Struct, frozen=True):
    """A mesh with texture coordinates.

    - `vertices`: float32, n x 3, the longer side from -1 to 1.
    - `faces`: int32, m x 3, counter-clockwise seen from outside.
    - `uv`: float32, n x 2, the place of a vertex in the image, 0 to 1, v up.
    """

    vertices: NDArray[np.float32]
    faces: NDArray[np.int32]
    uv: NDArray[np.float32]


def relief_of(alpha: NDArray[np.uint8], max_faces: int) -> Shape:
    """Return the closed mesh of a silhouette (uint8, height x width), of at most `max_faces` (hundreds) triangles."""
    budget = float(max_faces)
    while len((shape := inflate(coverage(alpha, budget))).faces) > max_faces:
        budget *= 0.9 * max_faces / len(shape.faces)
    return shape


def coverage(alpha: NDArray[np.uint8], max_faces: float) -> Field:
    """Return how much of the silhouette is at each sample, 0 to 1, with a border of zeros.

    Samples are about as many as `max_faces` triangles allow: a full cell has two in front and two behind.
    """
    height, width = alpha.shape
    opaque = np.asarray(alpha, np.float32) / alpha.max()
    cells = max_faces / (4 * float(opaque.mean()))
    scale = min(MAX_CELLS / max(width, height), (cells / (width * height)) ** 0.5)
    size = (max(3, round(width * scale)), max(3, round(height * scale)))
    samples = Image.fromarray(opaque).resize(size, Image.Resampling.BILINEAR)
    field = np.pad(np.clip(np.asarray(samples, np.float32), 0, 1), 1)
    if not (field > LEVEL).any():  # nowhere thick enough for a sample
        field *= 1 / field.max()
    return field


def inflate(field: Field) -> Shape:
    """Return the closed mesh of a `coverage`: marching squares, once in front and once behind, sharing the outline."""
    reach = reaches(field)
    half = thickness(field, reach)
    inside = field > LEVEL
    rows, columns = np.nonzero(inside)
    count = len(rows)
    number = np.full(field.shape, -1)
    number[inside] = np.arange(count)
    outline, across, along = _crossings(inside, reach, 2 * count)
    flat = np.concatenate([np.stack([columns, rows], 1), np.stack([columns, rows], 1), outline]).astype(np.float32)
    depth = np.concatenate([half[inside], -half[inside], np.zeros(len(outline))]).astype(np.float32)
    front = _cells(field, number, across, along)
    behind = np.where(front < count, front + count, front)[:, ::-1]
    return _placed(flat, depth, np.concatenate([front, behind]), field.shape)


def _crossings(
    inside: NDArray[np.bool_], reach: Reach, first: int
) -> tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.int64]]:
    """Return the crossings of the outline with grid edges, and the number of that vertex by edge.

    The crossings are k x 2, x and y in cells. Edges are (i, j) to (i, j + 1), and (i, j) to (i + 1, j); vertices are
    numbered from `first`.
    """
    right, left, down, up = reach
    across, along = np.full(inside.shape, -1), np.full(inside.shape, -1)
    rows, columns = np.nonzero(inside[:, :-1] ^ inside[:, 1:])
    offset = np.where(inside[rows, columns], right[rows, columns], 1 - left[rows, columns + 1])
    points = [np.stack([columns + offset, rows], 1)]
    across[rows, columns] = first + np.arange(len(rows))
    first += len(rows)
    rows, columns = np.nonzero(inside[:-1] ^ inside[1:])
    offset = np.where(inside[rows, columns], down[rows, columns], 1 - up[rows + 1, columns])
    points.append(np.stack([columns, rows + offset], 1))
    along[rows, columns] = first + np.arange(len(rows))
    return np.concatenate(points).astype(np.float32), across, along


def _cells(
    field: Field, number: NDArray[np.int64], across: NDArray[np.int64], along: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return the triangles of the front, k x 3, counter-clockwise where y points up."""
    inside = field > LEVEL
    corners = [inside[corner] for corner in _CORNERS]
    kind = sum((corner.astype(int) << bit for bit, corner in enumerate(corners)), np.zeros(corners[0].shape, int))
    middle = np.mean([field[corner] for corner in _CORNERS], axis=0) > LEVEL
    kind = np.where(((kind == 5) | (kind == 10)) & ~middle, kind + 16, kind)
    edges = [across[:-1, :-1], along[:-1, 1:], across[1:, :-1], along[:-1, :-1]]
    places = np.stack([*(number[corner] for corner in _CORNERS), *edges], axis=-1)
    made = [places[kind == code][:, triangle] for code, triangles in CELLS.items() for triangle in triangles]
    return np.concatenate(made)


_CORNERS = (np.s_[:-1, :-1], np.s_[:-1, 1:], np.s_[1:, 1:], np.s_[1:, :-1])
"""Top left, top right, bottom right and bottom left of every cell."""


def _placed(
    flat: NDArray[np.float32], depth: NDArray[np.float32], faces: NDArray[np.int64], shape: tuple[int, ...]
) -> Shape:
    """Return the shape in the mesh's own coordinates, from cells with y down."""
    low, high = flat.min(axis=0), flat.max(axis=0)
    scale = 2 / (high - low).max()
    vertices = np.column_stack([(flat - (low + high) / 2) * (scale, -scale), depth * scale])
    # Sample j of n stands for the part (j + 1/2) / n of the image, which has a border of one empty row and column.
    uv = (flat - 0.5) / (shape[1] - 2, shape[0] - 2)
    uv[:, 1] = 1 - uv[:, 1]
    return Shape(
        np.clip(vertices, -1, 1).astype(np.float32), faces.astype(np.int32), np.clip(uv, 0, 1).astype(np.float32)
    )
