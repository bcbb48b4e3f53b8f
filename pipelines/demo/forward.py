"""The transformer's forward pass for training: equal to that of ZImageTransformer2DModel, without padding copies.

The model pads words and image tokens to 32 each with one learned token that every other token attends to. Here all
copies stand at the same rotary position, so they stay equal through every block. One copy whose attention logit is
raised by the logarithm of their number gives the same result (tests/unit/pipelines/demo/test_model.py shows it). A
block is one function of tensors, so that torch.compile can fuse it once for all blocks.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from pipelines.demo.model import Untyped

SLOTS, PATCH = 32, 2


class Weights(NamedTuple):
    """One block's weights: query, key, value, output; their norms; the feed-forward's three; the four outer norms."""

    query: Tensor
    key: Tensor
    value: Tensor
    out: Tensor
    norm_query: Tensor
    norm_key: Tensor
    gate: Tensor
    down: Tensor
    up: Tensor
    before_attention: Tensor
    after_attention: Tensor
    before_feed: Tensor
    after_feed: Tensor


class Turns(NamedTuple):
    """Rotary cosines and sines, each (1, tokens, 1, head width / 2)."""

    cosine: Tensor
    sine: Tensor


Block = Callable[[Tensor, Tensor, Turns, Tensor, Weights], Tensor]


def run_block(x: Tensor, bias: Tensor, turns: Turns, modulation: Tensor, weights: Weights) -> Tensor:
    """Run one block over x (n, tokens, width); modulation is (n, 1, 4 * width), gates already in -1..1."""
    heads = x.shape[-1] // weights.norm_query.shape[0]
    scale, gate, feed_scale, feed_gate = modulation.chunk(4, -1)
    h = _norm(x, weights.before_attention) * (1 + scale)
    joined = F.linear(h, torch.cat([weights.query, weights.key, weights.value]))
    query, key, value = joined.view(*x.shape[:2], 3, heads, -1).unbind(2)
    query = _turn(_norm(query, weights.norm_query), turns).to(value.dtype).transpose(1, 2)
    key = _turn(_norm(key, weights.norm_key), turns).to(value.dtype).transpose(1, 2)
    mixed = F.scaled_dot_product_attention(query, key, value.transpose(1, 2), attn_mask=bias.to(value.dtype))
    mixed = F.linear(mixed.transpose(1, 2).flatten(2), weights.out)
    x = x + gate * _norm(mixed, weights.after_attention)
    h = _norm(x, weights.before_feed) * (1 + feed_scale)
    open_, wide = F.linear(h, torch.cat([weights.gate, weights.up])).chunk(2, -1)
    fed = F.linear(F.silu(open_) * wide, weights.down)
    return x + feed_gate * _norm(fed, weights.after_feed)


def predict(
    transformer: Untyped,
    latents: Tensor,
    times: Tensor,
    text: Tensor,
    lengths: Tensor,
    block: Block = run_block,
) -> Tensor:
    """Return the output of a ZImageTransformer2DModel (clean minus noise), (n, c, h, w) like `latents`.

    `times` (n,) runs from 0 (noise) to 1 (clean). `text` is (n, words, width), of which the first `lengths` (n,) count,
    at most 31 of them. h/2 * w/2 is less than 32. `block` may be a compiled run_block.
    """
    count, channels, height, width = latents.shape
    rows, columns = height // PATCH, width // PATCH
    patches = latents.view(count, channels, rows, PATCH, columns, PATCH).permute(0, 2, 4, 3, 5, 1)
    embedded = transformer.all_x_embedder["2-1"](patches.reshape(count, rows * columns, -1)).float()
    time = transformer.t_embedder(times * transformer.t_scale)
    image = torch.cat([embedded, transformer.x_pad_token.expand(count, 1, -1)], 1)
    image_bias = _bias(torch.full_like(lengths, rows * columns), rows * columns)
    turns = _turns(transformer, rows, columns)
    for each in transformer.noise_refiner:
        image = block(image, image_bias, turns, _modulation(each, time), _weights(each))
    words = transformer.cap_embedder(text).float()
    words = torch.cat([words, transformer.cap_pad_token.expand(count, 1, -1)], 1)
    words_bias, still = _bias(lengths, text.shape[1]), _still(words.shape[1], turns)
    plain = torch.cat([torch.zeros(2, transformer.dim), torch.ones(2, transformer.dim)], 1).view(1, 1, -1)
    for each in transformer.context_refiner:
        words = block(words, words_bias, still, plain.expand(count, 1, -1).contiguous(), _weights(each))
    joint, bias = torch.cat([image, words], 1), torch.cat([image_bias, words_bias], -1)
    turns = Turns(torch.cat([turns.cosine, still.cosine], 1), torch.cat([turns.sine, still.sine], 1))
    for each in transformer.layers:
        joint = block(joint, bias, turns, _modulation(each, time), _weights(each))
    out: Tensor = transformer.all_final_layer["2-1"](joint[:, : rows * columns], c=time)
    out = out.view(count, rows, columns, PATCH, PATCH, channels).permute(0, 5, 1, 3, 2, 4)
    return out.reshape(count, channels, height, width)


def _norm(x: Tensor, weight: Tensor) -> Tensor:
    x = x.float()
    return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + 1e-5) * weight


def _turn(x: Tensor, turns: Turns) -> Tensor:
    even, odd = x.view(*x.shape[:-1], -1, 2).unbind(-1)
    turned = (even * turns.cosine - odd * turns.sine, even * turns.sine + odd * turns.cosine)
    return torch.stack(turned, -1).flatten(-2)


def _modulation(block: Untyped, time: Tensor) -> Tensor:
    """Return scales and tanh of gates in the order scale, gate, scale, gate; (n, 1, 4 * width)."""
    scale, gate, feed_scale, feed_gate = block.adaLN_modulation(time).float().unsqueeze(1).chunk(4, -1)
    return torch.cat([scale, gate.tanh(), feed_scale, feed_gate.tanh()], -1)


def _weights(block: Untyped) -> Weights:
    attention, feed = block.attention, block.feed_forward
    return Weights(
        attention.to_q.weight,
        attention.to_k.weight,
        attention.to_v.weight,
        attention.to_out[0].weight,
        attention.norm_q.weight,
        attention.norm_k.weight,
        feed.w1.weight,
        feed.w2.weight,
        feed.w3.weight,
        block.attention_norm1.weight,
        block.attention_norm2.weight,
        block.ffn_norm1.weight,
        block.ffn_norm2.weight,
    )


def _bias(lengths: Tensor, longest: int) -> Tensor:
    """Return the addend of attention logits per key, (n, 1, 1, longest + 1).

    It is -inf past the real keys, and the logarithm of the copies for the padding.
    """
    real = torch.arange(longest) < lengths[:, None]
    copies = torch.log(SLOTS - lengths.float())[:, None]
    return torch.cat([torch.where(real, 0.0, -torch.inf), copies], 1)[:, None, None]


def _turns(transformer: Untyped, rows: int, columns: int) -> Turns:
    """Return the rotation of the image's tokens and, last, of its padding, which stands at the origin."""
    grid = torch.cartesian_prod(torch.arange(1), torch.arange(rows), torch.arange(columns))
    factors = transformer.rope_embedder(torch.cat([grid, torch.zeros(1, 3, dtype=grid.dtype)]))[None, :, None]
    return Turns(factors.real.contiguous(), factors.imag.contiguous())


def _still(tokens: int, like: Turns) -> Turns:
    """Return the identity rotation."""
    shape = (1, tokens, 1, like.cosine.shape[-1])
    return Turns(torch.ones(shape), torch.zeros(shape))
