"""What Wan-Animate-2 is called with, beside the prompt: a picture, a film, and how they are cut. No torch."""

from collections.abc import Sequence
from typing import Any

from PIL import Image

from pipelines.catalog.sizes import Size
from pipelines.video.frames import FramePlan

STEP = 4
"""Frames are a multiple of this, and one: so the autoencoder takes them."""


def within(image: Image.Image, size: Size) -> Image.Image:
    """Return a frame as large as it fits into `size`, as the pipeline itself would make it before it adds the black."""
    width, height = size
    if width * image.height < image.width * height:
        made = (width, max(1, image.height * width // image.width))
    else:
        made = (max(1, image.width * height // image.height), height)
    return image.resize(made, Image.Resampling.BILINEAR)


def shown_arguments(still: Image.Image, film: Sequence[Image.Image], plan: FramePlan) -> dict[str, Any]:
    """Return the arguments for a video of the size of `still`, whose sides are multiples of 16.

    `film` has so many frames as `plan`, of any size: the pipeline sets each in black.

    Segments are as long as the plan's clips and not the usual 81 frames, of which the pipeline fills the last one up
    with mirrored ones: it computes them for nothing, and fails where a film has fewer than half of a segment.
    """
    # The sides that the pipeline makes are those of the picture, for this area. It takes roots of it and rounds them
    # down: of the area itself, a root may be a little less than the side, and a row of 16 pixels would be missing.
    return {
        "image": still,
        "driving_video": [*film],
        "height": still.width * still.height + 1,
        "width": 1,
        "segment_frame_length": max(plan.clips),
    }
