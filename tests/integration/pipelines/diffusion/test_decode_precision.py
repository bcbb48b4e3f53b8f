"""SDXL's autoencoder in bfloat16: what its decoder sums up leaves float16's range, so the published one is cast up."""

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import AutoencoderKL

from pipelines.runtime.device import load
from pipelines.weights.lockfile import Lock
from pipelines.weights.verify import lock_directory
from tests.support.checkpoints import tiny_checkpoints
from tests.support.checkpoints.specs import spec

LARGEST_FLOAT16 = torch.finfo(torch.float16).max
LEVELS = 255 / 2
"""Of a channel, for each unit of what a decoder returns."""
FACTOR = 100.0
"""Of convolutions whose results are normalized before the next one, which leaves the pixels as they are."""


@pytest.fixture(scope="module")
def vae(one_thread: None, tmp_path_factory: pytest.TempPathFactory) -> AutoencoderKL:
    """The autoencoder as the engine loads it; sums in its decoder are as large as those of the published weights."""
    root = tmp_path_factory.mktemp("weights")
    folder = tiny_checkpoints.save("sdxl", root / "sdxl")
    published = AutoencoderKL.from_pretrained(folder / "vae")
    with torch.no_grad():
        for name, weight in published.decoder.named_parameters():
            if name.startswith(("conv_in", "mid_block", "up_blocks")) and "conv" in name:
                weight.mul_(FACTOR)
    published.save_pretrained(folder / "vae")
    entry = spec(id="sdxl", source={"path": "sdxl"}, dtype="bfloat16")
    pipeline: Any = load(entry, root, Lock({"sdxl": lock_directory(entry, Path(folder))}), "cpu")
    found: AutoencoderKL = pipeline.pipe.vae
    return found


def decode(vae: AutoencoderKL, dtype: torch.dtype) -> tuple[torch.Tensor, float]:
    """Pixels of fixed latents, and the largest number that a part of the decoder returned."""
    largest = 0.0

    def see(_: Any, __: Any, output: torch.Tensor) -> None:
        nonlocal largest
        largest = max(largest, output.abs().max().item())

    other = copy.deepcopy(vae).to(dtype)
    for module in other.decoder.modules():
        if not list(module.children()):
            module.register_forward_hook(see)
    latents = torch.randn(1, 4, 32, 32, generator=torch.Generator().manual_seed(1)).to(dtype)
    with torch.no_grad():
        return other.decode(latents).sample.float(), largest


def test_pixels_are_within_a_level_of_float32(vae: AutoencoderKL) -> None:
    assert torch.bfloat16 == vae.dtype
    exact, largest = decode(vae, torch.float32)
    assert largest > LARGEST_FLOAT16
    found, _ = decode(vae, torch.bfloat16)
    differences = (LEVELS * (found - exact)).abs()
    assert differences.mean() < 1
    assert differences.max() < 4


def test_float16_has_no_pixels(vae: AutoencoderKL) -> None:
    """So the weights are such as need the range."""
    found, _ = decode(vae, torch.float16)
    assert not found.isfinite().all()
