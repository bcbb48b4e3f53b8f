"""POST /generate/image/v1 and its status."""

from api.native.generate.factory import GenerateRoute
from jobs.params.image import ImageParams

IMAGE = GenerateRoute(
    modality="image",
    params=ImageParams,
    summary="Make a picture from a prompt",
    note="with `?wait` it answers 200 once the job has ended.",
    status_summary="Status of a picture",
    examples=(
        ("A prompt is all it takes", {"prompt": "a red circle on a blue background"}),
        (
            "Everything said",
            {
                "prompt": "a small green star in the top left on a black background",
                "width": 512,
                "height": 512,
                "seed": 42,
                "output_format": "png",
                "callback_url": "https://shop.example/hooks/atelier",
            },
        ),
        (
            "From a picture",
            {
                "prompt": "the same chair in green velvet",
                "input_image": "https://shop.example/chair.jpg",
                "num_images": 2,
            },
        ),
    ),
)
"""Text and pictures to image (contract C12-C23)."""
