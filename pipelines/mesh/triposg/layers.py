"""Building blocks of both networks. The names of the attributes are those of the published tensors.

LayerNorm and RMSNorm are torch's own: in half precision they too compute in float32 and round once.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention


def layer_norm(width: int) -> nn.LayerNorm:
    """Return the one kind of LayerNorm that the checkpoint has."""
    return nn.LayerNorm(width, eps=1e-5)


def split_heads(parts: list[Tensor], heads: int) -> tuple[Tensor, ...]:
    """Split the channels of several projections into heads, as the checkpoint was trained.

    The projections are the parts of one fused matrix whose rows go head by head, so head h does not own slice h of
    each. Of all channels in a row, it owns `len(parts)` slices side by side, e.g. its query, its key and its value.
    `parts` are B x N x C; the result is as many tensors, B x H x N x D.
    """
    joined = torch.cat(parts, dim=-1)
    per_head = joined.view(*joined.shape[:-1], heads, len(parts), -1)
    return tuple(part.transpose(1, 2) for part in per_head.unbind(dim=-2))


def merge_heads(attended: Tensor) -> Tensor:
    """Return B x N x C, head after head, of B x H x N x D."""
    return attended.transpose(1, 2).flatten(-2)


class _Attention(nn.Module):
    """Projections of `width` channels, with a context of `context_width`.

    `qk_norm` normalizes queries and keys within each head.
    """

    def __init__(self, width: int, context_width: int, heads: int, *, qk_norm: bool) -> None:
        super().__init__()
        self.heads = heads
        self.to_q = nn.Linear(width, width, bias=False)
        self.to_k = nn.Linear(context_width, width, bias=False)
        self.to_v = nn.Linear(context_width, width, bias=False)
        self.to_out = nn.ModuleList([nn.Linear(width, width)])
        self.norm_q = nn.RMSNorm(width // heads, eps=1e-6) if qk_norm else nn.Identity()
        self.norm_k = nn.RMSNorm(width // heads, eps=1e-6) if qk_norm else nn.Identity()

    def attend(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """Return B x N x C of B x H x N x D each; `key` is normalized already."""
        attended = scaled_dot_product_attention(self.norm_q(query), key, value)
        out: Tensor = self.to_out[0](merge_heads(attended))
        return out


class SelfAttention(_Attention):
    """Attention among the tokens of one sequence."""

    def __init__(self, width: int, heads: int, *, qk_norm: bool = False) -> None:
        super().__init__(width, width, heads, qk_norm=qk_norm)

    def forward(self, tokens: Tensor) -> Tensor:
        """Map B x N x C to the same shape."""
        query, key, value = split_heads([self.to_q(tokens), self.to_k(tokens), self.to_v(tokens)], self.heads)
        return self.attend(query, self.norm_k(key), value)


class CrossAttention(_Attention):
    """Attention to the tokens of a context; `norm_context` normalizes those first."""

    def __init__(
        self, width: int, context_width: int, heads: int, *, qk_norm: bool = False, norm_context: bool = False
    ) -> None:
        super().__init__(width, context_width, heads, qk_norm=qk_norm)
        self.norm_cross = layer_norm(context_width) if norm_context else nn.Identity()

    def remember(self, context: Tensor) -> tuple[Tensor, Tensor]:
        """Return keys and values (B x H x M x D) of a context (B x M x its channels), for any number of `forward`."""
        context = self.norm_cross(context)
        key, value = split_heads([self.to_k(context), self.to_v(context)], self.heads)
        return self.norm_k(key), value

    def forward(self, tokens: Tensor, memory: tuple[Tensor, Tensor]) -> Tensor:
        """Map B x N x C to the same shape; `memory` is the result of `remember`."""
        (query,) = split_heads([self.to_q(tokens)], self.heads)
        return self.attend(query, *memory)


class FeedForward(nn.Module):
    """A feed-forward layer four times as wide inside, with the exact (erf) GELU. `net.1` was the dropout."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.net = nn.ModuleList([_Gelu(width, 4 * width), nn.Identity(), nn.Linear(4 * width, width)])

    def forward(self, tokens: Tensor) -> Tensor:
        """Map B x N x C to the same shape."""
        for layer in self.net:
            tokens = layer(tokens)
        return tokens


class _Gelu(nn.Module):
    def __init__(self, width: int, inner: int) -> None:
        super().__init__()
        self.proj = nn.Linear(width, inner)

    def forward(self, tokens: Tensor) -> Tensor:
        return nn.functional.gelu(self.proj(tokens))
