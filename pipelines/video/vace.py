"""What VACE makes a film of, as arguments of its pipeline (`WanVACEPipeline`). No torch.

VACE (https://arxiv.org/abs/2503.07598) gets a film of what is known, gray where it is not, with a mask that is white
where it draws, and pictures of what is to be seen.
"""

from typing import Any

from PIL import Image

from pipelines.catalog.sizes import Size
from pipelines.image.arguments import cover
from pipelines.image.inputs import read_image, read_references
from pipelines.runtime.protocol import Inputs

GRAY = (128, 128, 128)
KNOWN, DRAWN = 0, 255


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
