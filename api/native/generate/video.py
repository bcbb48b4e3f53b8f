"""POST /generate/video/v1 and its status."""

from api.native.generate.factory import GenerateRoute
from jobs.params.video import VideoParams

VIDEO = GenerateRoute(
    modality="video",
    params=VideoParams,
    summary="Make a film from a still",
    note="it is `pending` until its pictures are fetched and checked.",
    status_summary="Status of a film",
    examples=(
        ("A picture is all it takes", {"input_image": "https://shop.example/chair.jpg"}),
        (
            "Everything said",
            {
                "input_image": "https://shop.example/chair.jpg",
                "prompt": "slow zoom in, soft light",
                "width": 768,
                "height": 512,
                "duration_seconds": 3.0,
                "seed": 7,
                "output_format": "webm",
                "callback_url": "https://shop.example/hooks/atelier",
            },
        ),
    ),
)
"""Films from a still, or from words where the model can (contract C24-C32)."""
