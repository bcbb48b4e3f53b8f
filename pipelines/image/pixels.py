"""The pixels of an image from the values that a pipeline computed, converted on the device that holds them.

Half the bytes of bfloat16 leave the device, and the host computes nothing. The pixels are those that diffusers makes on
the host, bit for bit: `round(255 x)` in float32, halves to even.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from pipelines.image.size import SizePlan


def fill_pixels(pixels: NDArray[np.uint8], values: torch.Tensor, size: SizePlan) -> bool:
    """Write 3 x height x width `values` in 0 to 1 into `pixels`, height x width x 3, in the size that was asked for.

    Return whether all values are finite; those that are not would silently be black.
    """
    is_finite = torch.isfinite(values).all()
    made = (values[:3].float() * 255).round().to(torch.uint8).permute(1, 2, 0).contiguous()
    if made.shape == pixels.shape:
        torch.from_numpy(pixels).copy_(made)
    else:
        pixels[:] = np.asarray(size.finish(Image.fromarray(made.cpu().numpy())))
    return bool(is_finite)
