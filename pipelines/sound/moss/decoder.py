"""The decoder of latents to a wave: that of transformers' DAC, behind a convolution, from the published checkpoint.

That is a pickle of the package `audiotools`, with a state and the arguments of its class; `atelier weights fetch` makes
safetensors of it, in which both are tensors. Convolutions are stored as a direction and a length for each channel
(weight normalization). Transformers' decoder lacks the padding of odd strides, and would lose samples there.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import torch
from torch import nn
from transformers import DacConfig
from transformers.models.dac.modeling_dac import DacDecoder

from core.errors.failures import ModelLoadFailed
from pipelines.diffusion.state_dict_check import refuse, state_dict_mismatches
from pipelines.memory.weight_loader import WeightLoader

STATE, ARGUMENTS = "state_dict.", "metadata.kwargs."
FIRST = f"{STATE}post_quant_conv"
NEEDED = (f"{STATE}decoder.", FIRST, ARGUMENTS)
Tensors = dict[str, torch.Tensor]


class DecoderSizes(msgspec.Struct, frozen=True):
    """Arguments of the published class: channels of a latent, of the widest layer, the strides, samples a second."""

    latent_dim: int
    decoder_dim: int
    rates: tuple[int, ...]
    sample_rate: int

    @property
    def hop(self) -> int:
        """Samples that come of one latent."""
        product = 1
        for rate in self.rates:
            product *= rate
        return product


class WaveDecoder(nn.Module):
    """Latents, batch x channels x n, to samples, batch x 1 x (n times `sizes.hop`)."""

    def __init__(self, sizes: DecoderSizes) -> None:
        super().__init__()
        self.sizes = sizes
        self.first = nn.Conv1d(sizes.latent_dim, sizes.latent_dim, 1)
        options: dict[str, Any] = {
            "hidden_size": sizes.latent_dim,
            "decoder_hidden_size": sizes.decoder_dim,
            "upsampling_ratios": list(sizes.rates),
        }
        decoder: Any = DacDecoder(DacConfig(**options))
        for block, rate in zip(decoder.block, sizes.rates, strict=True):
            block.conv_t1.output_padding = (rate % 2,)
        self.decoder = decoder

    def forward(self, latents: torch.Tensor) -> torch.Tensor:
        """Return the samples."""
        made: torch.Tensor = self.decoder(self.first(latents))
        return made


def load_decoder(file: Path, loader: WeightLoader) -> WaveDecoder:
    """Load the decoder in float32; the encoder in the same file is not read. Raises `ModelLoadFailed`."""

    def wanted(name: str, stored: torch.dtype) -> torch.dtype | None:
        if not name.startswith(NEEDED):
            return None
        return torch.float32 if stored.is_floating_point else stored

    tensors = loader.read([file], wanted)
    sizes = _sizes(tensors, file.name)
    with torch.device("meta"):
        net = WaveDecoder(sizes)
    state = dict(_renamed(tensors, sizes, file.name))
    refuse(file.name, state_dict_mismatches(net, {name: tuple(tensor.shape) for name, tensor in state.items()}))
    net.load_state_dict(state, strict=True, assign=True)
    return loader.to_device(net.eval().requires_grad_(requires_grad=False))


def _sizes(tensors: Tensors, file: str) -> DecoderSizes:
    def number(name: str) -> int:
        return int(_named(tensors, f"{ARGUMENTS}{name}", file))

    count = sum(name.startswith(f"{ARGUMENTS}decoder_rates.") for name in tensors)
    rates = tuple(number(f"decoder_rates.{place}") for place in range(count))
    return DecoderSizes(number("latent_dim"), number("decoder_dim"), rates, number("sample_rate"))


def _renamed(tensors: Tensors, sizes: DecoderSizes, file: str) -> Iterator[tuple[str, torch.Tensor]]:
    """Yield the tensors under the names of `WaveDecoder`. Raises `ModelLoadFailed` for one that is missing."""

    def convolution(ours: str, theirs: str) -> Iterator[tuple[str, torch.Tensor]]:
        yield f"{ours}.weight", _weight(tensors, theirs, file)
        yield f"{ours}.bias", _named(tensors, f"{theirs}.bias", file)

    def alpha(ours: str, theirs: str) -> tuple[str, torch.Tensor]:
        return f"{ours}.alpha", _named(tensors, f"{theirs}.alpha", file)

    layers, count = f"{STATE}decoder.model", len(sizes.rates)
    yield from convolution("first", FIRST)
    yield from convolution("decoder.conv1", f"{layers}.0")
    for number in range(count):
        ours, theirs = f"decoder.block.{number}", f"{layers}.{number + 1}.block"
        yield alpha(f"{ours}.snake1", f"{theirs}.0")
        yield from convolution(f"{ours}.conv_t1", f"{theirs}.1")
        for unit in (1, 2, 3):
            inner = f"{theirs}.{unit + 1}.block"
            yield alpha(f"{ours}.res_unit{unit}.snake1", f"{inner}.0")
            yield from convolution(f"{ours}.res_unit{unit}.conv1", f"{inner}.1")
            yield alpha(f"{ours}.res_unit{unit}.snake2", f"{inner}.2")
            yield from convolution(f"{ours}.res_unit{unit}.conv2", f"{inner}.3")
    yield alpha("decoder.snake1", f"{layers}.{count + 1}")
    yield from convolution("decoder.conv2", f"{layers}.{count + 2}")


def _weight(tensors: Tensors, name: str, file: str) -> torch.Tensor:
    """Return the weights of a convolution, which are stored as they are or normalized."""
    if f"{name}.weight" in tensors:
        return tensors[f"{name}.weight"]
    length, direction = (_named(tensors, f"{name}.weight_{part}", file) for part in "gv")
    weight: torch.Tensor = direction * (length / direction.norm(dim=(1, 2), keepdim=True))
    return weight


def _named(tensors: Tensors, name: str, file: str) -> torch.Tensor:
    if name not in tensors:
        raise ModelLoadFailed(f"{file} is not of this layout: it lacks {name}.")
    return tensors[name]
