"""Reduction of a mesh that has more triangles than requested."""

import fast_simplification  # type: ignore[import-untyped]
import numpy as np
from numpy.typing import NDArray

from pipelines.mesh.surface import Mesh

EAGERNESS = (7, 6, 5, 4)
"""How quickly fast-simplification accepts larger errors: 7 is its default; another value collapses other edges."""
TORN = "the mesh, reduced to {} triangles, touches itself in places; some programs will not accept it as closed"


def reduced(mesh: Mesh, max_faces: int) -> tuple[Mesh, tuple[str, ...]]:
    """Return a mesh without texture of at most `max_faces` triangles, by quadric errors, and warnings.

    A closed mesh nearly always stays closed: where the reduction folds it onto itself, another one is tried.
    """
    if len(mesh.faces) <= max_faces:
        return mesh, ()
    was_closed = is_closed(mesh.faces)
    tries = []
    for eagerness in EAGERNESS:
        made = _simplified(mesh, max_faces, eagerness)
        if len(made.faces) <= max_faces and (is_closed(made.faces) or not was_closed):
            return made, ()
        tries.append(made)
    return tries[0], (TORN.format(len(tries[0].faces)),)


def is_closed(faces: NDArray[np.integer]) -> bool:
    """Return whether every edge is shared by two triangles that go along it in opposite directions."""
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]).astype(np.int64)
    many = int(faces.max()) + 1
    forth, back = np.sort(edges[:, 0] * many + edges[:, 1]), np.sort(edges[:, 1] * many + edges[:, 0])
    return bool((forth == back).all() and (np.diff(forth) > 0).all())


def _simplified(mesh: Mesh, target: int, eagerness: int) -> Mesh:
    # Copies: it refuses read-only arrays, such as those that the encoder reads.
    vertices, faces = np.array(mesh.vertices, order="C"), np.array(mesh.faces, order="C")
    points, fewer = fast_simplification.simplify(vertices, faces, target_count=target, agg=eagerness)
    fewer = without_flaps(np.asarray(fewer))
    used, renumbered = np.unique(fewer, return_inverse=True)
    return Mesh(np.asarray(points, np.float32)[used], renumbered.reshape(fewer.shape).astype(np.int32))


def without_flaps(faces: NDArray[np.integer]) -> NDArray[np.integer]:
    """Return the faces without those that have no area and without pairs that lie back to back."""
    while True:
        corners = np.sort(faces, axis=1)
        _, group, size = np.unique(corners, axis=0, return_inverse=True, return_counts=True)
        flat = (corners[:, 0] == corners[:, 1]) | (corners[:, 1] == corners[:, 2])
        dropped = flat | (size[group] == 2)
        if not dropped.any():
            return faces
        faces = faces[~dropped]
