"""A mesh flattened onto a texture by xatlas, and the place of each texel on the mesh."""

import msgspec
import numpy as np
import xatlas  # type: ignore[import-not-found]
from numpy.typing import NDArray

from pipelines.mesh.raster import rasterize
from pipelines.mesh.surface import Mesh, normals_of

PADDING = 4
"""Texels between two charts, so that a viewer's filter does not mix them."""


class Texels(msgspec.Struct, frozen=True):
    """Every texel that is on the mesh.

    `seen` is bool, side x side. In its order, `places` are float32, k x 3, and `normals` have length 1.
    """

    seen: NDArray[np.bool_]
    places: NDArray[np.float32]
    normals: NDArray[np.float32]


def unwrap(mesh: Mesh, side: int) -> Mesh:
    """Return the same surface with `uv`, in charts that do not overlap; vertices at seams are duplicated."""
    atlas = xatlas.Atlas()
    atlas.add_mesh(mesh.vertices, mesh.faces.astype(np.uint32))
    packing = xatlas.PackOptions()
    packing.resolution, packing.padding = side, PADDING
    atlas.generate(pack_options=packing)
    vertices, faces, uv = atlas[0]
    return Mesh(mesh.vertices[vertices], faces.astype(np.int32), np.asarray(uv, np.float32))


def texels_of(mesh: Mesh, side: int) -> Texels:
    """Return the texels of a mesh that has `uv`."""
    assert mesh.uv is not None
    flat = np.column_stack([mesh.uv[:, 0] * side, (1 - mesh.uv[:, 1]) * side, np.zeros(len(mesh.uv))])
    hits = rasterize(flat, mesh.faces, (side, side))
    normals = hits.blend(normals_of(mesh), mesh.faces)
    lengths = np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-9)
    return Texels(hits.seen, hits.blend(mesh.vertices, mesh.faces), normals / lengths)
