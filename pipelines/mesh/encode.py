"""Meshes as files; runs in the encoder process, without torch.

First comes the mesh (`pipelines.mesh.files`), reduced to `max_faces`, then a PNG of it. A mesh without a texture is
painted here where `mode` says so (`pipelines.mesh.paint`), so that the GPU is free meanwhile.
"""

from pathlib import Path

import numpy as np

from core.errors.failures import EncodeFailed
from jobs.params.mesh import MeshParams
from pipelines.mesh.decimate import reduced
from pipelines.mesh.files import FORMATS, write_mesh
from pipelines.mesh.paint import MAX_FACES, painted
from pipelines.mesh.render import SIDE, preview
from pipelines.mesh.surface import Mesh, mesh_of
from pipelines.previews.pictures import THUMBNAIL_SIDE
from pipelines.runtime.output_format import choose_format
from pipelines.runtime.protocol import Output, Outputs, RawOutput


def encode(raw: RawOutput, params: MeshParams, folder: Path) -> Outputs:
    """Write `0.glb` (or obj, stl, ply) and the preview `1.png` into `folder`.

    With `mode` "generate_and_paint", or "paint" and a `mesh_save_name`, the unpainted mesh is `2.glb`. Image formats
    give glb and a warning.
    Raises `EncodeFailed` for arrays that are not a mesh; a full or missing disk stays an `OSError`.
    """
    kind, warnings = choose_format(params.output_format, FORMATS, "glb", "mesh")
    mesh, said = _finished(raw, params)
    warnings += said
    if mesh.texture is not None and FORMATS[kind].warning is not None:
        warnings += (str(FORMATS[kind].warning),)
    painted = params.mode != "generate"
    files = [_write(mesh, folder, 0, kind, params.painted_save_name if painted else params.mesh_save_name, SIDE)]
    files.append(Output(path=str(files[0].picture), media_type="image/png", width=SIDE, height=SIDE))
    if params.mode == "generate_and_paint" or (painted and params.mesh_save_name is not None):
        files.append(_write(Mesh(mesh.vertices, mesh.faces), folder, 2, kind, params.mesh_save_name, THUMBNAIL_SIDE))
    return Outputs(files=tuple(files), warnings=warnings)


def _finished(raw: RawOutput, params: MeshParams) -> tuple[Mesh, tuple[str, ...]]:
    """Return the mesh to write, and warnings. A family that makes the texture also keeps to `max_faces` itself."""
    mesh = mesh_of(raw)
    if mesh.texture is not None:
        return mesh, ()
    if params.mode == "generate":
        return reduced(mesh, params.max_faces)
    if "image" not in raw.arrays:
        raise EncodeFailed("This model returns no image to paint its meshes with.")
    mesh, warnings = reduced(mesh, min(params.max_faces, MAX_FACES))
    return painted(mesh, np.asarray(raw.arrays["image"])), warnings


def _write(mesh: Mesh, folder: Path, number: int, kind: str, name: str | None, side: int) -> Output:
    """Write a mesh, and beside it a picture of it."""
    file, picture = folder / f"{number}.{kind}", folder / f"{number + 1}.png"
    preview(mesh, side, closed=True).save(picture)
    try:
        write_mesh(mesh, file)
    except (ValueError, TypeError, KeyError) as error:
        raise EncodeFailed(f"The mesh could not be written as {kind}: {type(error).__name__}.") from error
    return Output(
        path=file.name, media_type=FORMATS[kind].media_type, name=name and named(name, kind), picture=picture.name
    )


def named(name: str, kind: str) -> str:
    """Return the name that the caller chose, with the extension of the file's format."""
    stem, dot, ending = name.rpartition(".")
    return f"{stem if dot and ending.lower() in FORMATS else name}.{kind}"
