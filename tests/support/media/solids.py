"""Closed meshes to try things on."""

import numpy as np
import trimesh

from pipelines.mesh.surface import Mesh
from pipelines.runtime.protocol import RawOutput


def ball(detail: int = 4) -> Mesh:
    """A sphere of radius 1."""
    made = trimesh.creation.icosphere(subdivisions=detail)
    return Mesh(made.vertices.astype(np.float32), made.faces.astype(np.int32))


def ring() -> Mesh:
    """A torus that faces +z."""
    made = trimesh.creation.torus(0.7, 0.3, major_sections=200, minor_sections=100)
    return Mesh(made.vertices.astype(np.float32), made.faces.astype(np.int32))


def two_balls() -> Mesh:
    """One of radius 0.6 at z = -0.3, and well before it one of radius 0.2 at x = 0.15, y = 0.1."""
    large, small = ball(), ball(3)
    moved = [large.vertices * 0.6 + (0, 0, -0.3), small.vertices * 0.2 + (0.15, 0.1, 0.7)]
    vertices = np.concatenate(moved).astype(np.float32)
    return Mesh(vertices, np.concatenate([large.faces, small.faces + len(large.vertices)]).astype(np.int32))


def raw_of(mesh: Mesh, **more: np.ndarray) -> RawOutput:
    """As a family returns it."""
    drawn = {name: array for name, array in (("uv", mesh.uv), ("texture", mesh.texture)) if array is not None}
    return RawOutput(arrays={"vertices": mesh.vertices, "faces": mesh.faces, **drawn, **more}, metadata={"seed": 1})


def planar(mesh: Mesh, texture: np.ndarray) -> Mesh:
    """With an image projected onto it along z."""
    low, high = mesh.vertices[:, :2].min(axis=0), mesh.vertices[:, :2].max(axis=0)
    return Mesh(mesh.vertices, mesh.faces, ((mesh.vertices[:, :2] - low) / (high - low)).astype(np.float32), texture)


def welded(mesh: trimesh.Trimesh) -> trimesh.Trimesh:
    """Return the mesh with vertices of the same place joined."""
    copy = mesh.copy()
    copy.merge_vertices(merge_tex=True, merge_norm=True)
    return copy
