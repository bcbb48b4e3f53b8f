"""An image as the model's condition: the object on a white square, then the tokens of DINOv2."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from transformers import Dinov2Model

from core.errors.inputs import InputUnreadable

MAX_SIDE = 2000
"""Larger images are reduced first; the encoder sees 224 pixels."""
MARGIN = 0.1
"""White on either end of the longer side, in its lengths: the object spans 1 / 1.2 = 83.3 % of the square."""
FAINT = 8
"""Alpha below this is invisible dust of a matte and not part of the object."""

WHOLE = "the image has no transparent background; all of it was taken for the object"


def object_on_white(file: Path) -> tuple[Image.Image, tuple[str, ...]]:
    """Return the object in a clean PNG, RGB, in the middle of a white square, and warnings.

    Transparent pixels do not belong to the object. Without transparency the whole image does, with a warning. Raises
    `InputUnreadable` when everything is transparent.
    """
    with Image.open(file, formats=["PNG"]) as image:
        rgba = image.convert("RGBA")
    rgba.thumbnail((MAX_SIDE, MAX_SIDE), Image.Resampling.BOX)
    pixels = np.asarray(rgba)
    alpha = pixels[..., 3]
    if not (alpha >= FAINT).any():
        raise InputUnreadable(
            "The image is fully transparent and shows no object to make a mesh of.", field="$.image_path"
        )
    warnings = (WHOLE,) if (alpha == 255).all() else ()
    return Image.fromarray(_on_white_square(_cropped(pixels))), warnings


def _cropped(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    seen = pixels[..., 3] >= FAINT
    rows, columns = np.flatnonzero(seen.any(axis=1)), np.flatnonzero(seen.any(axis=0))
    return pixels[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _on_white_square(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return a square x 3 of height x width x 4; rounded as in the reference, it may miss a square by a pixel."""
    alpha = pixels[..., 3:] / 255.0
    composite = pixels[..., :3] / 255.0 * alpha + (1.0 - alpha)
    height, width = pixels.shape[:2]
    longer = max(height, width)
    least = int(MARGIN * longer)
    margins = [(int(least + (longer - side) / 2),) * 2 for side in (height, width)]
    padded = np.pad(composite, [*margins, (0, 0)], constant_values=1.0)
    return (padded * 255).astype(np.uint8)


def image_tokens(encoder: Dinov2Model, processor: Any, image: Image.Image) -> Tensor:
    """Return 1 x tokens x channels in the encoder's dtype: the last hidden state, its CLS token first."""
    pixels = processor(image, return_tensors="pt")["pixel_values"]
    with torch.inference_mode():
        tokens: Tensor = encoder(pixels.to(encoder.device, encoder.dtype)).last_hidden_state
    return tokens
