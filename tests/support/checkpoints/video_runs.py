"""Films that diffusers makes of given pictures, called directly on the tiny checkpoints of `tiny_videos`."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import DiffusionPipeline
from numpy.typing import NDArray
from PIL import Image, ImageOps

from tests.support.media.videos import planes

PROMPT = "a red apple"
SIZE = (64, 96)
FRAMES = 13


def of_pictures(
    folder: Path, stills: Mapping[str, Image.Image], references: Sequence[Image.Image] = ()
) -> NDArray[np.uint8]:
    """The planes of a film with seed 1: `stills` are its `input_image` and `last_image`, where it has them."""
    cropped = {name: ImageOps.fit(still, SIZE, Image.Resampling.LANCZOS) for name, still in stills.items()}
    call = _call_of_vace(cropped, references) if folder.name == "vace" else _call_of_wan(cropped)
    pipe: Any = DiffusionPipeline.from_pretrained(folder, dtype=torch.float32)
    pipe.set_progress_bar_config(disable=True)
    own = pipe(
        prompt=PROMPT,
        width=SIZE[0],
        height=SIZE[1],
        num_frames=FRAMES,
        num_inference_steps=3,
        generator=torch.Generator().manual_seed(1),
        output_type="np",
        **call,
    ).frames[0]
    return planes(own)


def _call_of_wan(cropped: Mapping[str, Image.Image]) -> dict[str, Any]:
    return {"image": cropped["input_image"], "last_image": cropped.get("last_image")}


def _call_of_vace(cropped: Mapping[str, Image.Image], references: Sequence[Image.Image]) -> dict[str, Any]:
    """As VACE's guide says: what is known of the film, gray where nothing is, and the mask of what it draws."""
    call: dict[str, Any] = {}
    places = {place: cropped[name] for name, place in (("input_image", 0), ("last_image", 12)) if name in cropped}
    if places:
        gray, white, black = (Image.new("RGB", SIZE, color) for color in ("#808080", "white", "black"))
        call["video"] = [places.get(place, gray) for place in range(FRAMES)]
        call["mask"] = [black if place in places else white for place in range(FRAMES)]
    if references:
        call["reference_images"] = [*references]
    return call
