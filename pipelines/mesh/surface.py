"""A mesh and its texture, as families return it and as files are made of it.

A family returns one closed triangle mesh in `RawOutput.arrays`:

- `vertices`: float32, n x 3, within [-1, 1], the middle of their bounding box at the origin; y is up, and the side that
  the image shows faces +z.
- `faces`: int32, m x 3, rows of `vertices`, counter-clockwise seen from outside.

A family that makes a texture returns two more arrays, and keeps to `max_faces` itself:

- `uv`: float32, n x 2, 0 to 1, v up; `texture`: uint8, height x width x 3, its first row at v = 1.

A family without a texture returns, for a `mode` that paints, the image that the encoder process paints the mesh with:

- `image`: uint8, height x width x 4, cropped to the object: as wide and as high as the mesh seen from +z.

`RawOutput.metadata` holds at least the `seed`, and the `num_inference_steps` of a model that has steps.
"""

import msgspec
import numpy as np
from numpy.typing import NDArray

from core.errors.failures import EncodeFailed
from pipelines.runtime.protocol import RawOutput


class Mesh(msgspec.Struct, frozen=True):
    """A triangle mesh, with or without a texture.

    - `vertices`: float32, n x 3.
    - `faces`: int32, m x 3, counter-clockwise seen from outside.
    - `uv`: float32, n x 2, 0 to 1, v up.
    - `texture`: uint8, height x width x 3, its first row at v = 1.
    """

    vertices: NDArray[np.float32]
    faces: NDArray[np.int32]
    uv: NDArray[np.float32] | None = None
    texture: NDArray[np.uint8] | None = None


def mesh_of(raw: RawOutput) -> Mesh:
    """Return the mesh that a family made, in the form that this module describes. Raises `EncodeFailed`."""
    vertices, faces = raw.arrays.get("vertices"), raw.arrays.get("faces")
    if vertices is None or vertices.dtype != np.float32 or vertices.ndim != 2 or vertices.shape[1] != 3:
        raise EncodeFailed("A mesh has `vertices`: float32, n x 3.")
    if faces is None or faces.dtype != np.int32 or faces.ndim != 2 or faces.shape[1] != 3 or not len(faces):
        raise EncodeFailed("A mesh has `faces`: int32, m x 3, at least one.")
    if not np.isfinite(vertices).all():
        raise EncodeFailed("The model computed coordinates that are not finite; it made no mesh.")
    if faces.min() < 0 or faces.max() >= len(vertices):
        raise EncodeFailed("A face names a vertex that is not there.")
    uv, texture = raw.arrays.get("uv"), raw.arrays.get("texture")
    if texture is None or uv is None:
        return Mesh(np.asarray(vertices), np.asarray(faces))
    if uv.shape != (len(vertices), 2) or uv.dtype != np.float32 or not np.isfinite(uv).all():
        raise EncodeFailed("A texture needs `uv`: float32, n x 2.")
    if texture.dtype != np.uint8 or texture.ndim != 3 or texture.shape[2] != 3 or 0 in texture.shape:
        raise EncodeFailed("A `texture` is uint8, height x width x 3.")
    return Mesh(np.asarray(vertices), np.asarray(faces), np.asarray(uv), np.asarray(texture))


def normals_of(mesh: Mesh) -> NDArray[np.float32]:
    """Return unit normals, n x 3, smooth over vertices of the same place: a texture seam is not an edge."""
    place = _places(mesh.vertices)
    first, second, third = (mesh.vertices.astype(np.float64)[mesh.faces[:, corner]] for corner in range(3))
    across = np.cross(second - first, third - first)  # as long as the face is large
    welded = place[mesh.faces]
    sums = np.stack(
        [np.bincount(welded.ravel(), np.repeat(across[:, axis], 3), place.max() + 1) for axis in range(3)], axis=1
    )
    lengths = np.linalg.norm(sums, axis=1, keepdims=True)
    units = np.where(lengths > 0, sums / np.where(lengths > 0, lengths, 1), (0.0, 0.0, 1.0))
    normals: NDArray[np.float32] = units[place].astype(np.float32)
    return normals


def _places(vertices: NDArray[np.float32]) -> NDArray[np.int64]:
    """Return a number for each vertex, the same for those of the same place."""
    order = np.lexsort(vertices.T)
    is_new = (np.diff(vertices[order], axis=0) != 0).any(axis=1)
    places = np.empty(len(vertices), np.int64)
    places[order] = np.concatenate([[0], np.cumsum(is_new)])
    return places


def sample(texture: NDArray[np.uint8], uv: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return the colors at k x 2 places, v up, interpolated between the texels: k x channels, 0 to 255."""
    height, width = texture.shape[:2]
    x = np.clip(uv[:, 0] * width - 0.5, 0, width - 1)
    y = np.clip((1 - uv[:, 1]) * height - 0.5, 0, height - 1)
    left, top = x.astype(np.int64), y.astype(np.int64)
    right, bottom = np.minimum(left + 1, width - 1), np.minimum(top + 1, height - 1)
    across, along = (x - left)[:, None], (y - top)[:, None]
    upper = texture[top, left] * (1 - across) + texture[top, right] * across
    lower = texture[bottom, left] * (1 - across) + texture[bottom, right] * across
    colors: NDArray[np.float32] = (upper * (1 - along) + lower * along).astype(np.float32)
    return colors
