"""RGB to the planes that a video is encoded from: BT.709, limited range, 4:2:0.

ITU-R BT.709-6, items 3.2 to 3.4 and 4.6, with R, G and B in 0 to 1 as they are, gamma included, and 8 bits:

    Y  = 0.2126 R + 0.7152 G + 0.0722 B      written as 16 + 219 Y
    Cb = (B - Y) / 1.8556                    written as 128 + 224 Cb
    Cr = (R - Y) / 1.5748                    written as 128 + 224 Cr

A sample of Cb or Cr is the mean of its 2x2 pixels, so it sits in their middle; the encoder tags the file accordingly.

The operations used here exist on NumPy arrays and torch tensors and give the same bits. torch converts on the device
that holds the pixels, so half the bytes leave it. This module imports no torch.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.runtime.protocol import RunContext

_RED, _GREEN, _BLUE = 0.2126, 0.7152, 0.0722


def empty_video(ctx: RunContext, count: int, width: int, height: int) -> NDArray[np.uint8]:
    """Return an empty array for the `frames` of a video: uint8, n x height * 3/2 x width.

    A frame is Y at full size, then Cb, then Cr, each a quarter of that, row after row (I420).
    """
    return ctx.empty("frames", (count, height * 3 // 2, width))


def fill_planes(planes: Any, rgb: Any) -> None:
    """Write RGB frames (n x 3 x height x width, float32 in 0 to 1, even sides) into `planes`.

    Both are arrays of one library on one device; `planes` is contiguous and has as many frames.
    """
    count, _, height, width = rgb.shape
    red, green, blue = rgb[:, 0], rgb[:, 1], rgb[:, 2]
    luma = _RED * red + _GREEN * green + _BLUE * blue
    planes[:, :height] = (219 * luma + 16).round()
    chroma = planes[:, height:].reshape(count, 2, height // 2, width // 2)
    chroma[:, 0] = (_halved(blue - luma) * (112 / (1 - _BLUE)) + 128).round()
    chroma[:, 1] = (_halved(red - luma) * (112 / (1 - _RED)) + 128).round()


def _halved(plane: Any) -> Any:
    """Return the mean of each 2x2."""
    upper, lower = plane[:, ::2], plane[:, 1::2]
    return (upper[..., ::2] + upper[..., 1::2] + lower[..., ::2] + lower[..., 1::2]) / 4
