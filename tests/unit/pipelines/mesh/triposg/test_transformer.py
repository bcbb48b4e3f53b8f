"""Against the plain reference of tests/support, in float64."""

from pathlib import Path

import numpy as np
import pytest
import torch

from pipelines.memory.weight_loader import WeightLoader
from pipelines.mesh.triposg.config import ScheduleConfig, TransformerConfig, read_config
from pipelines.mesh.triposg.load import WEIGHTS, load_module
from pipelines.mesh.triposg.schedule import denoise, guided
from pipelines.mesh.triposg.transformer import Transformer
from tests.support.checkpoints import triposg_reference as reference
from tests.support.checkpoints.triposg_reference import Array, Tensors

HEADS, LAYERS, WIDTH = 2, 5, 32


@pytest.fixture(scope="module")
def transformer(checkpoint: Path) -> Transformer:
    folder = checkpoint / "transformer"
    config = read_config(folder / "config.json", TransformerConfig)
    return load_module(lambda: Transformer(config), folder / WEIGHTS, WeightLoader("cpu"), torch.float64)


def random(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).standard_normal(shape)


def batch(array: Array) -> torch.Tensor:
    return torch.from_numpy(array)[None]


def test_self_attention_interleaves_heads(transformer: Transformer, transformer_tensors: Tensors) -> None:
    tokens = random(7, WIDTH)

    result = transformer.blocks[0].attn1(batch(tokens))[0]

    expected = reference.self_attention(transformer_tensors, "blocks.0.attn1", tokens, HEADS)
    assert np.allclose(expected, result, rtol=0, atol=1e-9)


def test_cross_attention_deals_keys_and_values_to_heads_in_turn(
    transformer: Transformer, transformer_tensors: Tensors
) -> None:
    tokens, context = random(7, WIDTH), random(5, 24, seed=1)
    attention = transformer.blocks[0].attn2

    result = attention(batch(tokens), attention.remember(batch(context)))[0]

    expected = reference.cross_attention(transformer_tensors, "blocks.0.attn2", tokens, context, HEADS)
    assert np.allclose(expected, result, rtol=0, atol=1e-9)


def test_a_standard_split_into_heads_would_be_another_result(
    transformer: Transformer, transformer_tensors: Tensors
) -> None:
    tokens = random(7, WIDTH)
    roles = [reference.linear(transformer_tensors, f"blocks.0.attn1.to_{role}", tokens) for role in "qkv"]
    standard = [
        reference.one_head(
            transformer_tensors, "blocks.0.attn1", *(np.split(role, HEADS, axis=-1)[head] for role in roles)
        )
        for head in range(HEADS)
    ]
    wrong = reference.linear(transformer_tensors, "blocks.0.attn1.to_out.0", np.concatenate(standard, axis=-1))

    assert np.abs(wrong - transformer.blocks[0].attn1(batch(tokens))[0].numpy()).max() > 0.1


@pytest.mark.parametrize("number", [0, 2, 3, 4])
def test_a_block(transformer: Transformer, transformer_tensors: Tensors, number: int) -> None:
    stream, context = random(7, WIDTH), random(5, 24, seed=1)
    skip = random(7, WIDTH, seed=2) if number > LAYERS // 2 else None

    result = transformer.blocks[number](batch(stream), batch(context), None if skip is None else batch(skip))[0]

    expected = reference.dit_block(transformer_tensors, f"blocks.{number}", stream, context, HEADS, skip)
    assert np.allclose(expected, result, rtol=0, atol=1e-9)


@pytest.mark.parametrize("time", [0.0, 20.0, 1000.0])
def test_the_time(transformer: Transformer, transformer_tensors: Tensors, time: float) -> None:
    result = transformer.time_proj(torch.tensor([time]), torch.float64)[0]

    # The sines are of float32 angles, up to 1000.
    assert np.allclose(reference.time_embedding(transformer_tensors, time), result, rtol=0, atol=2e-4)


def test_the_whole_of_it(transformer: Transformer, transformer_tensors: Tensors) -> None:
    latents, context = random(6, 8), random(5, 24, seed=1)

    result = transformer(batch(latents), torch.tensor([20.0]), batch(context))[0]

    expected = reference.transformer(transformer_tensors, latents, 20.0, context, HEADS, LAYERS)
    assert np.allclose(expected, result, rtol=0, atol=1e-5)
    assert np.abs(expected).max() > 0.5


def test_without_a_condition_cross_attention_is_its_bias(transformer: Transformer) -> None:
    attention = transformer.blocks[0].attn2
    nothing = torch.zeros(1, 5, 24, dtype=torch.float64)

    result = attention(batch(random(7, WIDTH)), attention.remember(nothing))

    assert torch.equal(attention.to_out[0].bias.expand(1, 7, WIDTH), result)


def test_the_order_of_latent_tokens_means_nothing(transformer: Transformer) -> None:
    latents, context, time = batch(random(6, 8)), batch(random(5, 24, seed=1)), torch.tensor([500.0])
    order = torch.tensor([3, 1, 5, 0, 2, 4])

    assert torch.allclose(transformer(latents, time, context)[:, order], transformer(latents[:, order], time, context))


def test_three_guided_steps(transformer: Transformer, transformer_tensors: Tensors) -> None:
    noise, context = random(6, 8), random(5, 24, seed=1)

    def plain(latents: Array, time: float, context: Array) -> Array:
        return reference.transformer(transformer_tensors, latents, time, context, HEADS, LAYERS)

    velocity = guided(transformer, batch(context), 7.0)
    result = denoise(velocity, batch(noise), torch.float64, ScheduleConfig(), 3, lambda done: None)[0]

    expected = reference.sample(plain, noise, context, 3, 7.0)
    assert np.abs(expected - noise).max() > 0.5
    assert np.allclose(expected, result, rtol=0, atol=5e-3)
