"""POST /generate/remove-background/v1 and its status."""

from api.native.generate.factory import GenerateRoute
from jobs.params.cutout import CutoutParams

CUTOUT = GenerateRoute(
    modality="remove-background",
    params=CutoutParams,
    summary="Remove a picture's background",
    note="it is `pending` until its picture is fetched and checked.",
    status_summary="Status of a cut-out",
    examples=(
        ("A picture is all it takes", {"image_url": "https://shop.example/chair.jpg"}),
        (
            "Cropped, on white",
            {
                "image_url": "https://shop.example/chair.jpg",
                "background_color": "#FFFFFF",
                "crop": True,
                "output_format": "webp",
            },
        ),
    ),
)
"""Background removal, in the shape of section C of the contract."""
