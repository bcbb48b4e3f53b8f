"""TripoSG in plain NumPy, float64, one head at a time: written from the published facts, not from our modules.

`tensors` holds arrays by their published names; a prefix like "blocks.3." chooses among them. Arrays are N x C, without
a batch.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.special import erf

Array = NDArray[np.float64]
Tensors = dict[str, Array]


def linear(tensors: Tensors, name: str, x: Array) -> Array:
    y = x @ tensors[f"{name}.weight"].T
    return y + tensors[f"{name}.bias"] if f"{name}.bias" in tensors else y


def layer_norm(tensors: Tensors, name: str, x: Array) -> Array:
    scaled = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5)
    return scaled * tensors[f"{name}.weight"] + tensors[f"{name}.bias"]


def rms_norm(tensors: Tensors, name: str, x: Array) -> Array:
    """Not every attention has it."""
    if f"{name}.weight" not in tensors:
        return x
    return x / np.sqrt((x**2).mean(-1, keepdims=True) + 1e-6) * tensors[f"{name}.weight"]


def feed_forward(tensors: Tensors, name: str, x: Array) -> Array:
    inner = linear(tensors, f"{name}.net.0.proj", x)
    return linear(tensors, f"{name}.net.2", inner * 0.5 * (1 + erf(inner / np.sqrt(2))))


def one_head(tensors: Tensors, name: str, q: Array, k: Array, v: Array) -> Array:
    q, k = rms_norm(tensors, f"{name}.norm_q", q), rms_norm(tensors, f"{name}.norm_k", k)
    scores = q @ k.T / np.sqrt(q.shape[-1])
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    return weights / weights.sum(-1, keepdims=True) @ v


def self_attention(tensors: Tensors, name: str, x: Array, heads: int) -> Array:
    """Slice 3 * h + r of [q | k | v] is role r of head h."""
    joined = np.concatenate([linear(tensors, f"{name}.to_{role}", x) for role in "qkv"], axis=-1)
    slices = np.split(joined, 3 * heads, axis=-1)
    outs = [one_head(tensors, name, *slices[3 * h : 3 * h + 3]) for h in range(heads)]
    return linear(tensors, f"{name}.to_out.0", np.concatenate(outs, axis=-1))


def cross_attention(tensors: Tensors, name: str, x: Array, context: Array, heads: int) -> Array:
    """Slice h of q; slice 2 * h + r of [k | v] is role r of head h."""
    if f"{name}.norm_cross.weight" in tensors:
        context = layer_norm(tensors, f"{name}.norm_cross", context)
    queries = np.split(linear(tensors, f"{name}.to_q", x), heads, axis=-1)
    joined = np.concatenate([linear(tensors, f"{name}.to_{role}", context) for role in "kv"], axis=-1)
    slices = np.split(joined, 2 * heads, axis=-1)
    outs = [one_head(tensors, name, queries[h], slices[2 * h], slices[2 * h + 1]) for h in range(heads)]
    return linear(tensors, f"{name}.to_out.0", np.concatenate(outs, axis=-1))


def dit_block(tensors: Tensors, name: str, x: Array, context: Array, heads: int, skip: Array | None = None) -> Array:
    if skip is not None:
        joined = linear(tensors, f"{name}.skip_linear", np.concatenate([skip, x], axis=-1))
        x = layer_norm(tensors, f"{name}.skip_norm", joined)
    x = x + self_attention(tensors, f"{name}.attn1", layer_norm(tensors, f"{name}.norm1", x), heads)
    x = x + cross_attention(tensors, f"{name}.attn2", layer_norm(tensors, f"{name}.norm2", x), context, heads)
    return x + feed_forward(tensors, f"{name}.ff", layer_norm(tensors, f"{name}.norm3", x))


def time_embedding(tensors: Tensors, time: float) -> Array:
    width = tensors["time_proj.linear_1.weight"].shape[1]
    frequencies = np.exp(-np.log(10_000) * np.arange(width // 2) / (width // 2))
    waves = np.concatenate([np.sin(time * frequencies), np.cos(time * frequencies)])
    inner = linear(tensors, "time_proj.linear_1", waves)
    return linear(tensors, "time_proj.linear_2", inner * 0.5 * (1 + erf(inner / np.sqrt(2))))


def transformer(tensors: Tensors, latents: Array, time: float, context: Array, heads: int, layers: int) -> Array:
    """With 5 layers: 0 and 1 are saved, 2 is the middle, 3 takes the output of 1 and 4 that of 0."""
    x = np.concatenate([time_embedding(tensors, time)[None], linear(tensors, "proj_in", latents)])
    outputs: list[Array] = []
    for number in range(layers):
        skip = outputs[layers - 1 - number] if number > layers // 2 else None
        x = dit_block(tensors, f"blocks.{number}", x, context, heads, skip)
        outputs.append(x)
    return linear(tensors, "proj_out", layer_norm(tensors, "norm_out", x)[1:])


def token_block(tensors: Tensors, name: str, x: Array, heads: int) -> Array:
    x = x + self_attention(tensors, f"{name}.attn1", layer_norm(tensors, f"{name}.norm1", x), heads)
    return x + feed_forward(tensors, f"{name}.ff", layer_norm(tensors, f"{name}.norm3", x))


def embedding(point: Array) -> Array:
    angles = [coordinate * 2**k for coordinate in point for k in range(8)]
    return np.array([*point, *np.sin(angles), *np.cos(angles)])


def values(tensors: Tensors, latents: Array, points: Array, heads: int, layers: int) -> Array:
    """Positive inside."""
    tokens = linear(tensors, "post_quant", latents)
    for number in range(layers):
        tokens = token_block(tensors, f"decoder.blocks.{number}", tokens, heads)
    name = f"decoder.blocks.{layers}"
    q = linear(tensors, "decoder.proj_query", np.array([embedding(point) for point in points]))
    q = q + cross_attention(tensors, f"{name}.attn2", layer_norm(tensors, f"{name}.norm2", q), tokens, heads)
    q = q + feed_forward(tensors, f"{name}.ff", layer_norm(tensors, f"{name}.norm3", q))
    return -linear(tensors, "decoder.proj_out", layer_norm(tensors, "decoder.norm_out", q))[:, 0]


def sample(
    velocity: Callable[[Array, float, Array], Array], noise: Array, context: Array, steps: int, scale: float
) -> Array:
    """`velocity(latents, time, context)` is what the model predicts: data minus noise."""
    x = noise
    for number in range(steps):
        sigma, following = 1 - number / steps, 1 - (number + 1) / steps
        without = velocity(x, 1000 * sigma, np.zeros_like(context))
        with_it = velocity(x, 1000 * sigma, context)
        x = x + (sigma - following) * (without + scale * (with_it - without))
    return x
