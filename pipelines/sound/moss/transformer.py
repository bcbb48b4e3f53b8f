"""The denoiser: the weights have the names of diffusers' Wan transformer, of which a film here is a line of latents.

Two things differ from Wan's films. The patch embedding is a convolution over one axis, whose weights are given two more
of length 1. And positions are those of one axis: the rotation is over the whole head, not a third of it for each axis.
"""

import json
from pathlib import Path
from typing import Any

import msgspec
import torch
from diffusers import WanTransformer3DModel
from diffusers.models.embeddings import get_1d_rotary_pos_embed
from torch import nn

from core.errors.failures import ModelLoadFailed
from pipelines.diffusion.state_dict_check import refuse, state_dict_mismatches
from pipelines.memory.weight_loader import DtypeRule, WeightLoader

WEIGHTS = "diffusion_pytorch_model.safetensors"
PATCH = "patch_embedding.weight"
LONGEST = 16_384
"""Latents that there are positions for."""


class TransformerSizes(msgspec.Struct, frozen=True):
    """Those keys of `config.json` that the network is built from."""

    dim: int
    num_heads: int
    ffn_dim: int
    num_layers: int
    in_dim: int
    out_dim: int
    text_dim: int
    freq_dim: int
    eps: float


class LineRope(nn.Module):
    """Rotary positions along one axis, in the form of Wan's: cosines and sines, 1 x positions x 1 x head."""

    def __init__(self, head: int) -> None:
        super().__init__()
        cosines, sines = get_1d_rotary_pos_embed(
            head, LONGEST, 1e4, use_real=True, repeat_interleave_real=True, freqs_dtype=torch.float64
        )
        self.register_buffer("cosines", cosines.float(), persistent=False)
        self.register_buffer("sines", sines.float(), persistent=False)

    def forward(self, latents: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the positions of latents, batch x channels x positions x 1 x 1."""
        count, cosines, sines = latents.shape[2], self.get_buffer("cosines"), self.get_buffer("sines")
        return cosines[None, :count, None], sines[None, :count, None]


def load_transformer(folder: Path, loader: WeightLoader, dtype: torch.dtype) -> Any:
    """Load the network in `dtype`, but for what Wan keeps in float32. Raises `ModelLoadFailed`."""
    try:
        sizes = msgspec.convert(json.loads((folder / "config.json").read_text()), TransformerSizes)
    except (OSError, ValueError) as error:
        raise ModelLoadFailed(f"{folder.name}/config.json could not be read.") from error
    head = sizes.dim // sizes.num_heads
    with torch.device("meta"):
        net: Any = WanTransformer3DModel(  # type: ignore[no-untyped-call]
            patch_size=(1, 1, 1),
            num_attention_heads=sizes.num_heads,
            attention_head_dim=head,
            in_channels=sizes.in_dim,
            out_channels=sizes.out_dim,
            text_dim=sizes.text_dim,
            freq_dim=sizes.freq_dim,
            ffn_dim=sizes.ffn_dim,
            num_layers=sizes.num_layers,
            eps=sizes.eps,
        )
    net.rope = LineRope(head)
    tensors = loader.read([folder / WEIGHTS], _precision_of(net, dtype))
    if PATCH in tensors:
        tensors[PATCH] = tensors[PATCH][..., None, None]
    refuse(folder.name, state_dict_mismatches(net, {name: tuple(each.shape) for name, each in tensors.items()}))
    net.load_state_dict(tensors, strict=True, assign=True)
    return loader.to_device(net.eval().requires_grad_(requires_grad=False))


def _precision_of(net: Any, dtype: torch.dtype) -> DtypeRule:
    kept = set(net._keep_in_fp32_modules or ())
    return lambda name, _: dtype if kept.isdisjoint(name.split(".")) else torch.float32
