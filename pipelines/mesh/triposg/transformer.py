"""The diffusion transformer: noisy latents, a time and image tokens to a velocity.

It has no positional embedding (latents are a set) and no modulation: the time is one more token, in front. Skips as
in U-ViT join the first half of the blocks to the second.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu

from pipelines.mesh.triposg.config import TransformerConfig
from pipelines.mesh.triposg.layers import CrossAttention, FeedForward, SelfAttention, layer_norm


class Transformer(nn.Module):
    """The transformer: `blocks` above the middle one take the outputs of those below it, last in first out."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.middle = config.num_layers // 2
        self.time_proj = TimeEmbedding(config.width)
        self.proj_in = nn.Linear(config.in_channels, config.width)
        self.blocks = nn.ModuleList(
            TransformerBlock(config, takes_skip=number > self.middle) for number in range(config.num_layers)
        )
        self.norm_out = layer_norm(config.width)
        self.proj_out = nn.Linear(config.width, config.in_channels)

    def forward(self, latents: Tensor, time: Tensor, context: Tensor) -> Tensor:
        """Return the velocity (data minus noise) of the shape of `latents`: B x N x `in_channels`.

        `time`: float, B, from 0 (data) to 1000 (noise). `context`: image tokens, B x M x `cross_attention_dim`; zeros
        mean no condition.
        """
        time_token = self.time_proj(time, latents.dtype).unsqueeze(1)
        stream = torch.cat([time_token, self.proj_in(latents)], dim=1)
        saved: list[Tensor] = []
        for number, block in enumerate(self.blocks):
            stream = block(stream, context, saved.pop() if number > self.middle else None)
            if number < self.middle:
                saved.append(stream)
        velocity: Tensor = self.proj_out(self.norm_out(stream)[:, 1:])
        return velocity


class TimeEmbedding(nn.Module):
    """A time as `width` sines and cosines, then through a small network."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width
        self.linear_1 = nn.Linear(width, 4 * width)
        self.linear_2 = nn.Linear(4 * width, width)

    def forward(self, time: Tensor, dtype: torch.dtype) -> Tensor:
        """Return B x `width` in `dtype`, computed in float32 up to the sines."""
        half = self.width // 2
        steps = torch.arange(half, dtype=torch.float32, device=time.device)
        angles = time.float()[:, None] * torch.exp(-math.log(10_000) * steps / half)
        waves = torch.cat([angles.sin(), angles.cos()], dim=-1).to(dtype)
        embedded: Tensor = self.linear_2(gelu(self.linear_1(waves)))
        return embedded


class TransformerBlock(nn.Module):
    """Self-attention, attention to the image, feed-forward; each is added to the stream.

    A skip replaces the stream before all that.
    """

    def __init__(self, config: TransformerConfig, *, takes_skip: bool) -> None:
        super().__init__()
        width, heads = config.width, config.num_attention_heads
        if takes_skip:
            self.skip_linear = nn.Linear(2 * width, width)
            self.skip_norm = layer_norm(width)
        self.norm1 = layer_norm(width)
        self.attn1 = SelfAttention(width, heads, qk_norm=True)
        self.norm2 = layer_norm(width)
        self.attn2 = CrossAttention(width, config.cross_attention_dim, heads, qk_norm=True)
        self.norm3 = layer_norm(width)
        self.ff = FeedForward(width)

    def forward(self, stream: Tensor, context: Tensor, skip: Tensor | None = None) -> Tensor:
        """Map B x N x C to the same shape; `skip`, of that shape, only for a block that takes one."""
        if skip is not None:
            stream = self.skip_norm(self.skip_linear(torch.cat([skip, stream], dim=-1)))
        stream = stream + self.attn1(self.norm1(stream))
        stream = stream + self.attn2(self.norm2(stream), self.attn2.remember(context))
        result: Tensor = stream + self.ff(self.norm3(stream))
        return result
