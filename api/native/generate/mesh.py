"""POST /generate/3d/v1 and its status."""

from api.native.generate.factory import GenerateRoute
from jobs.params.mesh import MeshParams

MESH = GenerateRoute(
    modality="3d",
    params=MeshParams,
    summary="Make a mesh from a picture",
    note="it is `pending` until its picture is fetched and checked.",
    status_summary="Status of a mesh",
    examples=(
        ("A picture is all it takes", {"image_path": "https://shop.example/chair.png"}),
        (
            "With a texture",
            {"image_path": "https://shop.example/chair.png", "mode": "paint", "painted_save_name": "chair.glb"},
        ),
    ),
)
"""Image to 3D (contract C41-C47)."""
