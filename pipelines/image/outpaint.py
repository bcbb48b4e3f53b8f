"""Pictures that are extended beyond their sides: with their padding, the mask of it, and the size. No torch."""

import numpy as np
from PIL import Image

from jobs.params.image import Padding
from pipelines.catalog.sizes import Size

NEW = 255
"""The value of a mask where a pixel is painted."""


def extended_size(picture: Size, padding: Padding) -> Size:
    """Return the size of a picture with its padding."""
    return picture[0] + padding.left + padding.right, picture[1] + padding.top + padding.bottom


def size_within(size: Size, most: Size) -> Size:
    """Return the size, or the largest of the same shape within `most`."""
    scale = min(1.0, most[0] / size[0], most[1] / size[1])
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def extend_image(image: Image.Image, padding: Padding) -> Image.Image:
    """Return an RGB image with its padding, which has the colors of the nearest edge.

    All of it is painted, but the autoencoder sees it beside the picture: no edge of another color is painted on.
    """
    rows, columns = (padding.top, padding.bottom), (padding.left, padding.right)
    return Image.fromarray(np.pad(np.asarray(image), (rows, columns, (0, 0)), mode="edge"))


def extend_mask(mask: Image.Image | None, picture: Size, padding: Padding) -> Image.Image:
    """Return the mask of a picture with its padding, which is all new; without a mask nothing else is."""
    extended = Image.new("L", extended_size(picture, padding), NEW)
    extended.paste(mask or Image.new("L", picture, 0), (padding.left, padding.top))
    return extended
