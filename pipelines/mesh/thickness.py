"""Thickness of an inflated outline.

Half the thickness is the root of H, which solves Poisson's equation over the silhouette: with -laplacian(H) = 4 inside
and H = 0 on the outline it is a ball over a disc and smooth everywhere, where a distance transform would have ridges.
The outline lies between the samples, where a silhouette's coverage crosses `LEVEL`. Next to it the differences reach to
the outline and not to the next sample (Gibou et al. 2002), so a curve shows no stairs.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array  # type: ignore[import-untyped]
from scipy.sparse.linalg import cg  # type: ignore[import-untyped]

LEVEL = 0.4
"""Coverage at the outline; below one half, so that thin parts stay."""
NEAREST = 0.08
"""Closest that the outline comes to a sample, in cells, which avoids slivers."""
FLATTEN = 0.6
"""Share of a ball's thickness, for a relief."""
THINNEST = 0.3
"""Half of the least thickness, in cells."""

Field = NDArray[np.float32]
Reach = tuple[Field, Field, Field, Field]
"""How far the outline is from each sample inside, in cells: to the right, to the left, down, up; 1 where the neighbor
is inside too."""


def thickness(field: Field, reach: Reach) -> Field:
    """Return half the thickness at every sample in cells, 0 outside; `reach` is that of `reaches`."""
    inside = field > LEVEL
    number = np.full(field.shape, -1)
    number[inside] = np.arange(inside.sum())
    here = number[inside]
    diagonal = np.zeros(len(here))
    rows, columns = [], []
    for (dy, dx), length in zip(((0, 1), (0, -1), (1, 0), (-1, 0)), reach, strict=True):
        there = np.roll(number, (-dy, -dx), (0, 1))[inside]
        diagonal += 1 / length[inside]
        rows.append(here[there >= 0])
        columns.append(there[there >= 0])
    row, column = np.concatenate([here, *rows]), np.concatenate([here, *columns])
    values = np.concatenate([diagonal, np.full(len(row) - len(here), -1.0)])
    matrix = coo_array((values, (row, column)), shape=(len(here), len(here))).tocsr()
    solved, _ = cg(matrix, np.full(len(here), 4.0), rtol=1e-4, maxiter=4 * sum(field.shape))
    half = np.zeros_like(field)
    half[inside] = np.maximum(FLATTEN * np.sqrt(np.maximum(solved, 0)), THINNEST)
    return half


def reaches(field: Field) -> Reach:
    """Return the `Reach` of a coverage, whose samples at the border are 0."""
    return tuple(_reach(field, *step) for step in ((0, 1), (0, -1), (1, 0), (-1, 0)))  # type: ignore[return-value]


def _reach(field: Field, dy: int, dx: int) -> Field:
    there = np.roll(field, (-dy, -dx), (0, 1))
    crosses = (field > LEVEL) & (there <= LEVEL)
    part = (field - LEVEL) / np.where(crosses, field - there, 1)
    return np.where(crosses, np.clip(part, NEAREST, 1 - NEAREST), 1).astype(np.float32)
