"""Fewer triangles, where a mesh has more than were asked for."""

import fast_simplification  # type: ignore[import-untyped]
import numpy as np
import trimesh
from numpy.typing import NDArray

from pipelines.mesh.surface import Mesh

TRIES = 3
OPEN = "the mesh could not be reduced to {} triangles without holes; it has a few"


def reduced(mesh: Mesh, max_faces: int) -> tuple[Mesh, tuple[str, ...]]:
    """A mesh without a texture with at most `max_faces` triangles, by quadric errors, and warnings.

    A closed mesh stays closed: where the reduction tears it, a slightly different number of triangles is tried.
    """
    if len(mesh.faces) <= max_faces:
        return mesh, ()
    was_closed = is_closed(mesh.faces)
    best = mesh
    for attempt in range(TRIES):
        best = _simplified(mesh, int(max_faces * (1 - 0.03 * attempt)))
        if is_closed(best.faces) or not was_closed:
            return best, ()
    return best, (OPEN.format(max_faces),)


def is_closed(faces: NDArray[np.integer]) -> bool:
    """Whether every edge is shared by two triangles that go along it in opposite directions."""
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]).astype(np.int64)
    many = int(faces.max()) + 1
    forth, back = np.sort(edges[:, 0] * many + edges[:, 1]), np.sort(edges[:, 1] * many + edges[:, 0])
    return bool((forth == back).all() and (np.diff(forth) > 0).all())


def _simplified(mesh: Mesh, target: int) -> Mesh:
    points, faces = fast_simplification.simplify(
        np.ascontiguousarray(mesh.vertices), np.ascontiguousarray(mesh.faces), target_count=target
    )
    tidy = trimesh.Trimesh(points, faces, process=False)
    tidy.update_faces(tidy.nondegenerate_faces() & tidy.unique_faces())
    tidy.remove_unreferenced_vertices()
    return Mesh(np.asarray(tidy.vertices, np.float32), np.asarray(tidy.faces, np.int32))
