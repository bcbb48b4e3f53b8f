"""Values of a pipeline as pixels, converted where they are."""

import numpy as np
import pytest
import torch
from diffusers.image_processor import VaeImageProcessor
from PIL import Image

from pipelines.image.pixels import fill_pixels
from pipelines.image.size import SizePlan

SAME = SizePlan(asked=(40, 24), make=(40, 24))


def as_diffusers(values: torch.Tensor) -> Image.Image:
    """The image that diffusers makes of one image's values in 0 to 1, on the host."""
    made = VaeImageProcessor().postprocess(values[None], "pil", do_denormalize=[False])[0]
    assert isinstance(made, Image.Image)
    return made


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_pixels_are_those_of_diffusers(dtype: torch.dtype) -> None:
    values = torch.rand(3, 24, 40, generator=torch.Generator().manual_seed(1)).to(dtype)
    pixels = np.zeros((24, 40, 3), np.uint8)
    assert fill_pixels(pixels, values, SAME)
    assert np.array_equal(np.asarray(as_diffusers(values)), pixels)


def test_halves_are_rounded_to_even_as_numpy_does() -> None:
    values = (torch.arange(255, dtype=torch.float32) + 0.5).div(255).expand(3, 1, 255)
    pixels = np.zeros((1, 255, 3), np.uint8)
    fill_pixels(pixels, values, SizePlan(asked=(255, 1), make=(255, 1)))
    assert np.array_equal((values.numpy() * 255).round().astype(np.uint8)[0, 0], pixels[0, :, 0])


@pytest.mark.parametrize("is_crop", [True, False])
def test_another_size_is_cropped_or_resized(is_crop: bool) -> None:
    size = SizePlan(asked=(36, 20), make=(40, 24), crop=is_crop)
    values = torch.rand(3, 24, 40, generator=torch.Generator().manual_seed(2))
    pixels = np.zeros((20, 36, 3), np.uint8)
    assert fill_pixels(pixels, values, size)
    assert np.array_equal(np.asarray(size.finish(as_diffusers(values))), pixels)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_value_that_is_not_finite_is_found(bad: float) -> None:
    values = torch.zeros(3, 24, 40)
    values[2, 23, 39] = bad
    assert not fill_pixels(np.zeros((24, 40, 3), np.uint8), values, SAME)
