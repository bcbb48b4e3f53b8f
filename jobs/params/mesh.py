"""Parameters of image to 3D (contract C41-C47)."""

from typing import Annotated, ClassVar, Literal

from msgspec import Meta

from jobs.params.base import Params, Seed
from jobs.params.media import NAMED, MediaKind, Source
from jobs.params.modality import ModalitySpec

FileName = Annotated[
    str,
    Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}(?!\n)$", description="A plain file name, e.g. model.glb."),
]


class MeshParams(Params, frozen=True, kw_only=True, tag_field="modality", tag="3d"):
    """A mesh from an image; `input_image` is required."""

    media: ClassVar[dict[str, MediaKind]] = {"image_path": "image"}

    image_path: Annotated[Source, Meta(description=f"The image of the object. {NAMED}")]
    output_format: Annotated[
        Literal["glb", "obj", "stl", "ply", "webp", "jpeg", "png"],
        Meta(description="glb, obj, stl or ply; image formats are accepted with a warning and give glb."),
    ] = "glb"
    mode: Annotated[
        Literal["generate", "paint", "generate_and_paint"],
        Meta(
            description="The mesh; the mesh with the image as its texture (of at most 30000 triangles); or both, the "
            "painted one first."
        ),
    ] = "generate"
    max_faces: Annotated[int, Meta(ge=500, le=500_000, description="Triangles of the mesh, at most.")] = 100_000
    mesh_save_name: Annotated[FileName, Meta(description="Name of the mesh's file.")] | None = None
    painted_save_name: (
        Annotated[FileName, Meta(description="Name of the painted mesh's file, with mode paint.")] | None
    ) = None
    seed: Seed = -1
    auto_unload: Annotated[bool, Meta(description="Unload the model after the job.")] = True


MESH = ModalitySpec(
    name="3d",
    params=MeshParams,
    summary="Make a mesh from an image",
    note="it is `pending` until its image is fetched and checked.",
    status_summary="Status of a mesh",
    examples=(
        ("Only an image", {"input_image": "https://shop.example/chair.png"}),
        (
            "With a texture",
            {"input_image": "https://shop.example/chair.png", "mode": "paint", "painted_save_name": "chair.glb"},
        ),
    ),
    word="mesh",
    argument="image_path",
    formats={".glb": "glb", ".obj": "obj", ".stl": "stl", ".ply": "ply"},
    flags={"mode": ("--paint",)},
    switches={"mode": "paint"},
)
"""Image to 3D (contract C41-C47)."""
