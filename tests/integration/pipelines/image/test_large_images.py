"""Images with a side above the limit of an entry, 1024 by default: tiles, with the pixels of diffusers' own."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import DiffusionPipeline

from tests.support.checkpoints.image_runs import directly, image, loaded

PIXELS_PER_LATENT = 2
"""Of most tiny autoencoders."""


@contextmanager
def decoded_at_once(vae: Any) -> Iterator[list[int]]:
    """Keep the most latents that the decoder of an autoencoder gets in a call, of either side."""
    seen: list[int] = []
    handle = vae.decoder.register_forward_pre_hook(lambda _, given: seen.append(max(given[0].shape[-2:])))
    yield seen
    handle.remove()


def tile_of(vae: Any) -> int:
    """The most latents of a side of a tile; Qwen-Image's autoencoder counts pixels instead."""
    if hasattr(vae, "tile_latent_min_size"):
        return int(vae.tile_latent_min_size)
    return int(vae.tile_sample_min_width // vae.spatial_compression_ratio)


@pytest.mark.contract("F4")
@pytest.mark.parametrize(
    ("name", "width", "limits"),
    [
        ("zimage", 96, {"tiled_above": 64}),
        pytest.param("zimage", 1040, {"max_side": 2048}, marks=pytest.mark.long),
        pytest.param("sdxl", 1040, {"max_side": 2048}, marks=pytest.mark.long),
        pytest.param("flux2klein", 2048, {"max_side": 2048, "max_references": 4}, marks=pytest.mark.long),
        pytest.param("qwenimage", 2048, {"max_side": 2048}, marks=pytest.mark.long),
    ],
)
def test_a_large_image_is_decoded_in_tiles(weights_dir: Path, name: str, width: int, limits: dict[str, int]) -> None:
    pipeline = loaded(name, weights_dir, limits=limits)
    vae: Any = pipeline.pipe.vae  # type: ignore[attr-defined]

    with decoded_at_once(vae) as seen:
        made = image(pipeline, 2, num_inference_steps=1, width=width)

    assert (64, width, 3) == made.shape
    assert len(seen) > 1
    assert max(seen) <= tile_of(vae) < width // PIXELS_PER_LATENT
    alone = DiffusionPipeline.from_pretrained(weights_dir / name, dtype=torch.float32)
    alone.set_progress_bar_config(disable=True)
    alone.vae.enable_tiling()
    assert np.array_equal(directly(weights_dir / name, 2, alone, num_inference_steps=1, width=width), made)


@pytest.mark.contract("F4")
def test_tiles_are_of_images_above_the_limit_alone(weights_dir: Path) -> None:
    pipeline = loaded("zimage", weights_dir, limits={"tiled_above": 64})
    before = image(pipeline, 2)
    with decoded_at_once(pipeline.pipe.vae) as seen:  # type: ignore[attr-defined]
        image(pipeline, 2, width=96)
        assert len(seen) > 1
        seen.clear()
        after = image(pipeline, 2)
    assert [64 // PIXELS_PER_LATENT] == seen
    assert np.array_equal(before, after)
