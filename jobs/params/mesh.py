"""Parameters of image to 3D (contract C41-C47)."""

from typing import Annotated, ClassVar, Literal

from msgspec import Meta

from jobs.params.base import OutputFormat, Params
from jobs.params.media import MediaKind, Source

FileName = Annotated[
    str,
    Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}(?!\n)$", description="A plain file name, e.g. model.glb."),
]


class MeshParams(Params, frozen=True, kw_only=True, tag_field="modality", tag="3d"):
    """A mesh from a picture; `image_path` is required."""

    media: ClassVar[dict[str, MediaKind]] = {"image_path": "image"}

    image_path: Source
    output_format: Annotated[OutputFormat, Meta(description="Taken, and of no use here.")] = "webp"
    mode: Annotated[Literal["generate", "paint"], Meta(description="Mesh only, or mesh and texture.")] = "generate"
    mesh_save_name: FileName | None = None
    painted_save_name: FileName | None = None
    auto_unload: Annotated[bool, Meta(description="Unload the model after the job.")] = True
