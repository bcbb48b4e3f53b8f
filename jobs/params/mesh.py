"""Parameters of image to 3D (contract C41-C47)."""

from typing import Annotated, Literal

from msgspec import Meta

from jobs.params.base import Params, Url

FileName = Annotated[
    str,
    Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}(?!\n)$", description="A plain file name, e.g. model.glb."),
]


class MeshParams(Params, frozen=True, kw_only=True, tag_field="modality", tag="3d"):
    """A mesh from a picture; `image_path` is required."""

    image_path: Url
    mode: Annotated[Literal["generate", "paint"], Meta(description="Mesh only, or mesh and texture.")] = "generate"
    mesh_save_name: FileName | None = None
    painted_save_name: FileName | None = None
    auto_unload: Annotated[bool, Meta(description="Unload the model after the job.")] = True
