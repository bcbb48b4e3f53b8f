"""What VACE makes a film of, as arguments of its pipeline (`WanVACEPipeline`). No torch.

VACE (https://arxiv.org/abs/2503.07598) gets a film of what is known, gray where it is not, with a mask that is white
where it draws, and pictures of what is to be seen. Under a white mask a film that is not gray is followed: drawn poses,
depth or outlines.
"""

from collections.abc import Sequence
from typing import Any

from PIL import Image

from pipelines.catalog.sizes import Size
from pipelines.image.arguments import cover
from pipelines.image.inputs import read_image, read_references
from pipelines.runtime.protocol import Inputs

GRAY = (128, 128, 128)
KNOWN, DRAWN = 0, 255
AS_GIVEN = (
    "`motion_video` is followed as it is given, since this model finds no poses: it must show drawn poses, depth or "
    "outlines, not a person"
)
NOT_FOUND = "no person was found in `motion_video`"


def known_frames(inputs: Inputs, size: Size, frames: int) -> dict[str, Any]:
    """Return `video` and `mask` with the first and last frame, and `reference_images`, each where it is given.

    Both films have so many frames of `size` (width, height); the stills are cropped to its shape.
    """
    places = {"input_image": 0, "last_image": frames - 1}
    stills = {
        place: cover(read_image(inputs.files[name]), size) for name, place in places.items() if name in inputs.files
    }
    arguments: dict[str, Any] = {}
    if stills:
        gray, known, drawn = Image.new("RGB", size, GRAY), Image.new("L", size, KNOWN), Image.new("L", size, DRAWN)
        arguments["video"] = [stills.get(place, gray) for place in range(frames)]
        arguments["mask"] = [known if place in stills else drawn for place in range(frames)]
    if references := read_references(inputs):
        arguments["reference_images"] = references
    return arguments


def followed_frames(inputs: Inputs, driving: Sequence[Image.Image]) -> dict[str, Any]:
    """Return the driving film as `video`, a white `mask`, and `input_image` as the first of `reference_images`."""
    drawn = Image.new("L", driving[0].size, DRAWN)
    return {
        "video": [*driving],
        "mask": [drawn] * len(driving),
        "reference_images": [read_image(inputs.files["input_image"]), *read_references(inputs)],
    }
