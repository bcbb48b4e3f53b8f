"""Against the plain reference of tests/support, in float64."""

from pathlib import Path

import numpy as np
import pytest
import torch

from pipelines.memory.weight_loader import WeightLoader
from pipelines.mesh.triposg.config import VaeConfig, read_config
from pipelines.mesh.triposg.load import WEIGHTS, load_module
from pipelines.mesh.triposg.vae import UNUSED, Vae, embed_points
from tests.support.checkpoints import triposg_reference as reference
from tests.support.checkpoints.triposg_reference import Array, Tensors

HEADS, LAYERS, WIDTH = 2, 3, 16


@pytest.fixture(scope="module")
def vae(checkpoint: Path) -> Vae:
    folder = checkpoint / "vae"
    config = read_config(folder / "config.json", VaeConfig)
    return load_module(lambda: Vae(config), folder / WEIGHTS, WeightLoader("cpu"), torch.float64, UNUSED)


def random(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).standard_normal(shape)


def points(number: int) -> Array:
    """Coordinates that float32 holds exactly."""
    return np.random.default_rng(3).integers(-1029, 1030, (number, 3)) / 1024


def test_a_token_block(vae: Vae, vae_tensors: Tensors) -> None:
    tokens = random(7, WIDTH)

    result = vae.decoder.blocks[0](torch.from_numpy(tokens)[None])[0]

    expected = reference.token_block(vae_tensors, "decoder.blocks.0", tokens, HEADS)
    assert np.allclose(expected, result, rtol=0, atol=1e-9)


def test_a_point_is_embedded_as_itself_sines_and_cosines() -> None:
    point = points(1)[0]

    result = embed_points(torch.from_numpy(point)[None], 8)[0]

    assert (51,) == result.shape
    assert np.allclose(reference.embedding(point), result, rtol=0, atol=1e-6)


def test_the_embedding_is_float32_whatever_comes_in() -> None:
    assert torch.float32 == embed_points(torch.zeros(2, 3, dtype=torch.float16), 8).dtype


def test_values_of_points(vae: Vae, vae_tensors: Tensors) -> None:
    latents, where = random(6, 8), points(50)

    result = vae.values(torch.from_numpy(where), vae.remember(torch.from_numpy(latents)[None]))

    expected = reference.values(vae_tensors, latents, where, HEADS, LAYERS)
    assert (50,) == result.shape
    assert np.allclose(expected, result, rtol=0, atol=1e-5)
    assert np.ptp(expected) > 0.5


def test_a_point_has_the_same_value_in_any_chunk(vae: Vae) -> None:
    memory = vae.remember(torch.from_numpy(random(1, 6, 8)))
    where = torch.from_numpy(points(50))

    chunks = torch.cat([vae.values(part, memory) for part in where.split(7)])

    assert torch.allclose(vae.values(where, memory), chunks, rtol=0, atol=1e-6)
