"""The transformer's forward pass for training: equal to ZImageTransformer2DModel's own, without its copies of padding.

The model pads words and picture tokens to 32 each with one learned token that every other token attends to. Here
all copies stand at the same rotary position, so they stay equal through every block: one copy whose attention logit is
raised by the logarithm of their number gives the same result (tests/unit/pipelines/demo/test_model.py shows it).
"""

from __future__ import annotations

import torch
from diffusers import ZImageTransformer2DModel
from torch import Tensor

SLOTS, PATCH = 32, 2


def predict(
    transformer: ZImageTransformer2DModel, latents: Tensor, times: Tensor, text: Tensor, lengths: Tensor
) -> Tensor:
    """The model's output (clean minus noise), (n, c, h, w) like `latents`.

    `times` (n,) runs from 0 (noise) to 1 (clean); `text` is (n, words, width) of which the first `lengths` (n,) count,
    at most 31 of them; h/2 * w/2 is at most 32.
    """
    count, channels, height, width = latents.shape
    rows, columns = height // PATCH, width // PATCH
    patches = latents.view(count, channels, rows, PATCH, columns, PATCH).permute(0, 2, 4, 3, 5, 1)
    embedded = transformer.all_x_embedder["2-1"](patches.reshape(count, rows * columns, -1))
    time = transformer.t_embedder(times * transformer.t_scale).type_as(embedded)
    picture = torch.cat([embedded, transformer.x_pad_token.to(embedded.dtype).expand(count, 1, -1)], 1)
    picture_bias = _bias(torch.full_like(lengths, rows * columns), rows * columns)
    turns = _turns(transformer, rows, columns)
    for block in transformer.noise_refiner:
        picture = block(picture, picture_bias, turns, time)
    words = transformer.cap_embedder(text).to(embedded.dtype)
    words = torch.cat([words, transformer.cap_pad_token.to(embedded.dtype).expand(count, 1, -1)], 1)
    words_bias, still = _bias(lengths, text.shape[1]), torch.ones(1, words.shape[1], turns.shape[2], dtype=turns.dtype)
    for block in transformer.context_refiner:
        words = block(words, words_bias, still)
    joint = torch.cat([picture, words], 1)
    bias, turns = torch.cat([picture_bias, words_bias], -1), torch.cat([turns, still], 1)
    for block in transformer.layers:
        joint = block(joint, bias, turns, time)
    out = transformer.all_final_layer["2-1"](joint[:, : rows * columns], c=time)
    out = out.view(count, rows, columns, PATCH, PATCH, channels).permute(0, 5, 1, 3, 2, 4)
    return out.reshape(count, channels, height, width)


def _bias(lengths: Tensor, longest: int) -> Tensor:
    """Added to attention logits per key, (n, 1, 1, longest + 1): -inf past the real ones, log copies for padding."""
    real = torch.arange(longest) < lengths[:, None]
    copies = torch.log(SLOTS - lengths.float())[:, None]
    return torch.cat([torch.where(real, 0.0, -torch.inf), copies], 1)[:, None, None]


def _turns(transformer: ZImageTransformer2DModel, rows: int, columns: int) -> Tensor:
    """Rotary factors of the picture's tokens and, last, of its padding; (1, rows * columns + 1, head width / 2)."""
    grid = torch.cartesian_prod(torch.arange(1), torch.arange(rows), torch.arange(columns))
    return transformer.rope_embedder(torch.cat([grid, torch.zeros(1, 3, dtype=grid.dtype)]))[None]
