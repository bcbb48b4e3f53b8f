"""The processor of images and words, from the files that Qwen-Image-Edit was published with."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

from pipelines.diffusion.qwen_processor import ImageTextProcessor, load_processor

IMAGE = "<|vision_start|><|image_pad|><|vision_end|>"
SIZES = [(56, 56), (112, 56), (300, 200)]


@pytest.fixture(scope="module")
def processor(weights_dir: Path) -> ImageTextProcessor:
    return load_processor(weights_dir / "qwenedit" / "processor")


def images() -> list[Image.Image]:
    values = np.random.default_rng(0)
    return [Image.fromarray(values.integers(0, 256, (height, width, 3), np.uint8)) for width, height in SIZES]


def test_every_image_has_a_token_for_each_four_patches(processor: ImageTextProcessor) -> None:
    made = processor(text=[f"a {IMAGE * 3} b"], images=images(), padding=True, return_tensors="pt")

    patches = made["image_grid_thw"].prod(dim=1)
    assert [16, 32, 14 * 22] == patches.tolist()
    assert patches.sum() == len(made["pixel_values"])
    assert patches.sum() // 4 == (made["input_ids"] == processor.image_token_id).sum()


def test_the_numbers_are_those_of_the_librarys_own_part(processor: ImageTextProcessor) -> None:
    made = processor(text=[IMAGE * 3], images=images(), padding=True, return_tensors="pt")

    assert torch.equal(Qwen2VLImageProcessorPil()(images(), return_tensors="pt")["pixel_values"], made["pixel_values"])


def test_words_alone(processor: ImageTextProcessor) -> None:
    made = processor(text=["a cat"], images=None, padding=True, return_tensors="pt")

    assert made.get("pixel_values") is None
    assert "a cat" == processor.tokenizer.decode(made["input_ids"][0])
