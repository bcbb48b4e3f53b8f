"""The decoding half of the shape VAE: latents to a value at any point, positive inside the shape.

The tokens are prepared once per shape (`remember`); after that every point is independent of the others, so points can
come in chunks of any size without a difference.
"""

import torch
from torch import Tensor, nn

from pipelines.mesh.triposg.config import VaeConfig
from pipelines.mesh.triposg.layers import CrossAttention, FeedForward, SelfAttention, layer_norm

Memory = tuple[Tensor, Tensor]
"""Keys and values of a shape, 1 x H x N x D each."""

UNUSED = ("encoder.", "quant.")
"""Tensors of the checkpoint that only encoding needs."""


class Vae(nn.Module):
    """`post_quant` and `decoder` of the checkpoint."""

    def __init__(self, config: VaeConfig) -> None:
        super().__init__()
        self.post_quant = nn.Linear(config.latent_channels, config.width_decoder)
        self.decoder = Decoder(config)

    def remember(self, latents: Tensor) -> Memory:
        """Return the memory that `values` needs of a shape; `latents` are 1 x N x `latent_channels`, as sampled."""
        memory: Memory = self.decoder.remember(self.post_quant(latents))
        return memory

    def values(self, points: Tensor, memory: Memory) -> Tensor:
        """Return P float32 values for P x 3 float32 `points` within [-1.005, 1.005].

        They are about a negated distance to the surface, without a unit of length.
        """
        values: Tensor = self.decoder(points[None], memory)[0, :, 0]
        return values


class Decoder(nn.Module):
    """The decoder: all blocks but the last work on the tokens of the shape, the last on the points."""

    def __init__(self, config: VaeConfig) -> None:
        super().__init__()
        width, heads = config.width_decoder, config.num_attention_heads
        self.frequencies = config.embed_frequency
        token_blocks: list[nn.Module] = [TokenBlock(width, heads) for _ in range(config.num_layers_decoder)]
        self.blocks = nn.ModuleList([*token_blocks, PointBlock(width, heads)])
        self.proj_query = nn.Linear(3 + 6 * config.embed_frequency, width)
        self.norm_out = layer_norm(width)
        self.proj_out = nn.Linear(width, 1)

    def remember(self, tokens: Tensor) -> Memory:
        """Return keys and values of B x N x C tokens, for any number of points."""
        *token_blocks, point_block = self.blocks
        for block in token_blocks:
            tokens = block(tokens)
        memory: Memory = point_block.attn2.remember(tokens)  # type: ignore[operator, union-attr]
        return memory

    def forward(self, points: Tensor, memory: Memory) -> Tensor:
        """Map B x P x 3 to B x P x 1, both float32; the network's own sign is positive outside."""
        waves = embed_points(points, self.frequencies).to(self.proj_query.weight.dtype)
        queries = self.blocks[-1](self.proj_query(waves), memory)
        values: Tensor = self.proj_out(self.norm_out(queries))
        return -values.float()


def embed_points(points: Tensor, frequencies: int) -> Tensor:
    """Return ... x (3 + 6 * `frequencies`) of ... x 3: the coordinates, then sines, then cosines.

    The angles are x, 2x, 4x, ..., y, 2y, ... in radians. Float32, since half precision would round coordinates to
    1/1024.
    """
    octaves = 2.0 ** torch.arange(frequencies, dtype=torch.float32, device=points.device)
    angles = (points.float()[..., None] * octaves).flatten(-2)
    return torch.cat([points.float(), angles.sin(), angles.cos()], dim=-1)


class TokenBlock(nn.Module):
    """Self-attention and feed-forward, each added to the stream."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm1 = layer_norm(width)
        self.attn1 = SelfAttention(width, heads)
        self.norm3 = layer_norm(width)
        self.ff = FeedForward(width)

    def forward(self, tokens: Tensor) -> Tensor:
        """Map B x N x C to the same shape."""
        tokens = tokens + self.attn1(self.norm1(tokens))
        result: Tensor = tokens + self.ff(self.norm3(tokens))
        return result


class PointBlock(nn.Module):
    """Attention of points to the tokens of the shape, never to each other."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm2 = layer_norm(width)
        self.attn2 = CrossAttention(width, width, heads, norm_context=True)
        self.norm3 = layer_norm(width)
        self.ff = FeedForward(width)

    def forward(self, queries: Tensor, memory: Memory) -> Tensor:
        """Map B x P x C to the same shape."""
        queries = queries + self.attn2(self.norm2(queries), memory)
        result: Tensor = queries + self.ff(self.norm3(queries))
        return result
