"""A picture whose places move a little: the mesh of Pillow along a field of displacements. No torch."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Field = NDArray[np.float32]
"""Where each place of a picture goes, to the right and down, as parts of its sides: 2 x rows x columns."""


def bent(picture: Image.Image, field: Field, cells: int) -> Image.Image:
    """Return the picture with each place moved along the field, as far as a mesh can.

    The mesh has so many cells along the longer side. A field of zeros returns the picture itself.
    """
    if not field.any():
        return picture
    cell = max(picture.size) / cells
    columns, rows = (max(1, round(side / cell)) for side in picture.size)
    shown = _corners(picture.size, columns, rows)
    seen = shown - _at_corners(field, columns, rows) * np.array(picture.size, np.float32)
    mesh = []
    for row in range(rows):
        for column in range(columns):
            left, top = shown[row, column]
            right, bottom = shown[row + 1, column + 1]
            corners = (seen[row, column], seen[row + 1, column], seen[row + 1, column + 1], seen[row, column + 1])
            box = (int(left), int(top), int(right), int(bottom))
            mesh.append((box, tuple(float(value) for at in corners for value in at)))
    return picture.transform(picture.size, Image.Transform.MESH, mesh, Image.Resampling.BICUBIC)


def _corners(size: tuple[int, int], columns: int, rows: int) -> Field:
    """Return the corners of the cells in whole pixels: rows + 1 x columns + 1 x 2."""
    across, along = (
        np.rint(np.linspace(0, side, count + 1)) for side, count in zip(size, (columns, rows), strict=True)
    )
    return np.stack(np.meshgrid(across, along), -1).astype(np.float32)


def _at_corners(field: Field, columns: int, rows: int) -> Field:
    """Return the field at the corners of the cells: rows + 1 x columns + 1 x 2."""
    parts = [Image.fromarray(part).resize((columns + 1, rows + 1), Image.Resampling.BILINEAR) for part in field]
    return np.stack([np.asarray(part) for part in parts], -1)
