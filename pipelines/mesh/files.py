"""Meshes as files, each complete in itself.

- GLB: with normals, and the texture inside as a PNG.
- OBJ, PLY (binary): with normals; the texture as a color per vertex, since an image would be a second file.
- STL (binary): the shape alone.

No file carries metadata, and the same mesh gives the same bytes with the same libraries.
"""

from pathlib import Path

import msgspec
import numpy as np
import trimesh
from numpy.typing import NDArray
from PIL import Image
from trimesh.visual import ColorVisuals, TextureVisuals
from trimesh.visual.material import PBRMaterial

from pipelines.mesh.surface import Mesh, normals_of, sample


class MeshFormat(msgspec.Struct, frozen=True):
    """A media type, and the warning for a mesh whose texture the format cannot hold."""

    media_type: str
    warning: str | None = None


FORMATS = {
    "glb": MeshFormat("model/gltf-binary"),
    "obj": MeshFormat("model/obj", "this obj has its colors per vertex; ask for glb to have the texture itself"),
    "ply": MeshFormat("model/ply", "this ply has its colors per vertex; ask for glb to have the texture itself"),
    "stl": MeshFormat("model/stl", "stl has no colors; ask for glb to have the texture"),
}


def write_mesh(mesh: Mesh, file: Path) -> None:
    """Write `mesh` in the format that the suffix of `file` names, one of `FORMATS`."""
    made = trimesh.Trimesh(mesh.vertices, mesh.faces, vertex_normals=normals_of(mesh), process=False)
    kind = file.suffix[1:]
    if mesh.texture is not None and mesh.uv is not None and kind != "stl":
        made.visual = _texture(mesh.texture, mesh.uv) if kind == "glb" else _vertex_colors(made, mesh.texture, mesh.uv)
    file.write_bytes(_bytes_of(made, kind))


def _bytes_of(made: trimesh.Trimesh, kind: str) -> bytes:
    if kind == "glb":
        data = made.export(file_type="glb", include_normals=True)
    elif kind == "obj":
        data = made.export(file_type="obj", include_normals=True, header=None)
    elif kind == "ply":
        data = made.export(file_type="ply", vertex_normal=True)
    else:
        data = made.export(file_type="stl")
    return data.encode() if isinstance(data, str) else bytes(data)


def _texture(texture: NDArray[np.uint8], uv: NDArray[np.float32]) -> TextureVisuals:
    material = PBRMaterial(  # type: ignore[no-untyped-call]
        baseColorTexture=Image.fromarray(np.ascontiguousarray(texture)), metallicFactor=0.0, roughnessFactor=0.9
    )
    return TextureVisuals(uv=uv, material=material)  # type: ignore[no-untyped-call]


def _vertex_colors(made: trimesh.Trimesh, texture: NDArray[np.uint8], uv: NDArray[np.float32]) -> ColorVisuals:
    colors = np.clip(np.rint(sample(texture, uv)), 0, 255).astype(np.uint8)
    return ColorVisuals(made, vertex_colors=np.column_stack([colors, np.full(len(colors), 255, np.uint8)]))
