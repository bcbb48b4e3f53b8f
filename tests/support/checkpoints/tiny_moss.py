"""A random MOSS-SoundEffect checkpoint in the published layout, shrunken, and its sounds by the facts written out.

`save` writes the files as they are published, the decoder as a pickle of `audiotools`; `fetch` makes of that what
`atelier weights fetch` makes. `reference` computes a sound with functions of torch and the text encoder alone.
"""

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn import functional as F
from transformers import AutoTokenizer, Qwen3Config, Qwen3ForCausalLM, Qwen3Model

from pipelines.catalog.spec import ModelSpec
from pipelines.memory.weight_loader import WeightLoader
from pipelines.sound.encode import encode
from pipelines.sound.moss.family import MossSound
from pipelines.weights.pickles import convert
from tests.support.checkpoints.tiny_checkpoints import qwen_tokenizer

__all__ = ["PICKLE", "TinyMoss", "encode", "fetch", "reference", "save"]

DIM, HEADS, FEED, BLOCKS, LATENT, TEXT, WIDEST = 24, 2, 32, 2, 8, 32, 32
RATES = (8, 5, 4, 3, 2)
RATE, WHOLE_SECONDS, TOKENS, SHIFT = 48_000, 2.0, 512, 5.0
"""Two seconds at once instead of thirty."""
FREQUENCIES = 256
PICKLE = Path("vae") / "vae_128d_48k.pth"

LOUDNESS = 0.02
"""So quiet that nothing is at the limit of the last layer, a tangent."""

Tensors = dict[str, Tensor]


def save(folder: Path) -> Path:
    """Write the checkpoint as it is published; the same bytes every time."""
    torch.manual_seed(0)
    for name in ("transformer", "vae"):
        (folder / name).mkdir(parents=True)
    tokenizer = qwen_tokenizer()
    tokenizer.save_pretrained(folder / "tokenizer")
    config = Qwen3Config(
        vocab_size=len(tokenizer),
        hidden_size=TEXT,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=16,
    )
    Qwen3ForCausalLM(config).save_pretrained(folder / "text_encoder")
    save_file(_transformer(), folder / "transformer" / "diffusion_pytorch_model.safetensors")
    sizes = {"dim": DIM, "num_heads": HEADS, "ffn_dim": FEED, "num_layers": BLOCKS, "in_dim": LATENT, "out_dim": LATENT}
    facts = {"text_dim": TEXT, "freq_dim": FREQUENCIES, "eps": 1e-6, "patch_size": [1], "vae_type": "dac"}
    (folder / "transformer" / "config.json").write_text(json.dumps(sizes | facts))
    rates = {"encoder_rates": list(RATES[::-1]), "decoder_rates": list(RATES)}
    arguments = rates | {"latent_dim": LATENT, "decoder_dim": WIDEST, "sample_rate": RATE, "continuous": True}
    metadata = {"kwargs": arguments}
    torch.save({"state_dict": _autoencoder(), "metadata": metadata}, folder / PICKLE)
    (folder / "model_index.json").write_text(json.dumps({"_class_name": "MossSoundEffectPipeline"}))
    return folder


def fetch(folder: Path) -> Path:
    """Make safetensors of the pickle of a saved checkpoint, as a fetch does."""
    convert(folder / PICKLE, (folder / PICKLE).with_suffix(".safetensors"))
    (folder / PICKLE).unlink()
    return folder


class TinyMoss(MossSound):
    """The family with `WHOLE_SECONDS` at once; its own encoder is that of all sounds."""

    def __init__(self, spec: ModelSpec, weights: Path, device: str, loader: WeightLoader | None = None) -> None:
        super().__init__(spec, weights, device, loader, whole_seconds=WHOLE_SECONDS)


@torch.inference_mode()
def reference(
    folder: Path, prompt: str, seconds: float, *, steps: int, guidance: float, seed: int, unwanted: str = ""
) -> Tensor:
    """The samples of a sound, by a fetched checkpoint."""
    tokenizer: Any = AutoTokenizer.from_pretrained(folder / "tokenizer")  # type: ignore[no-untyped-call]
    encoder: Any = Qwen3Model.from_pretrained(folder / "text_encoder").eval()

    def words(text: str) -> Tensor:
        made = tokenizer([text], padding="max_length", truncation=True, max_length=TOKENS, return_tensors="pt")
        mask: Tensor = made["attention_mask"]
        if not mask.any():
            return torch.zeros(1, TOKENS, TEXT)
        states: Tensor = encoder(**made).last_hidden_state
        return states * mask[..., None]

    weights = load_file(folder / "transformer" / "diffusion_pytorch_model.safetensors")
    yes, no = words(f"{prompt} duration: {seconds:.1f}s"), words(unwanted)
    hop = int(torch.tensor(RATES).prod())
    x = torch.randn(1, LATENT, round(WHOLE_SECONDS * RATE) // hop, generator=torch.Generator().manual_seed(seed))
    even = torch.linspace(1, 0, steps + 1)
    sigmas = SHIFT * even / (1 + (SHIFT - 1) * even)
    for now, after in pairwise(sigmas):
        wanted, away = (_velocity(weights, x, 1000 * now, text) for text in (yes, no))
        x = x + (after - now) * (away + guidance * (wanted - away))
    return _decoded(load_file((folder / PICKLE).with_suffix(".safetensors")), x)[0, 0, : round(seconds * RATE)]


def _random(*shape: int) -> Tensor:
    return torch.randn(*shape) * 0.1


def _transformer() -> Tensors:
    """Tensors under the published names."""
    made = {
        "patch_embedding.weight": _random(DIM, LATENT, 1),
        "patch_embedding.bias": _random(DIM),
        "proj_out.weight": _random(LATENT, DIM),
        "proj_out.bias": _random(LATENT),
        "scale_shift_table": _random(1, 2, DIM),
    }
    linear = {
        "text_embedder.linear_1": (DIM, TEXT),
        "text_embedder.linear_2": (DIM, DIM),
        "time_embedder.linear_1": (DIM, FREQUENCIES),
        "time_embedder.linear_2": (DIM, DIM),
        "time_proj": (6 * DIM, DIM),
    }
    for name, (out, into) in linear.items():
        made |= {
            f"condition_embedder.{name}.weight": _random(out, into),
            f"condition_embedder.{name}.bias": _random(out),
        }
    for number in range(BLOCKS):
        block = f"blocks.{number}"
        made |= {
            f"{block}.scale_shift_table": _random(1, 6, DIM),
            f"{block}.norm2.weight": 1 + _random(DIM),
            f"{block}.norm2.bias": _random(DIM),
            f"{block}.ffn.net.0.proj.weight": _random(FEED, DIM),
            f"{block}.ffn.net.0.proj.bias": _random(FEED),
            f"{block}.ffn.net.2.weight": _random(DIM, FEED),
            f"{block}.ffn.net.2.bias": _random(DIM),
        }
        for attention in (f"{block}.attn1", f"{block}.attn2"):
            made |= {f"{attention}.norm_{one}.weight": 1 + _random(DIM) for one in "qk"}
            for one in ("to_q", "to_k", "to_v", "to_out.0"):
                made |= {f"{attention}.{one}.weight": _random(DIM, DIM), f"{attention}.{one}.bias": _random(DIM)}
    return made


def _autoencoder() -> Tensors:
    """Tensors of the decoder under the published names, and one of the encoder, which is not read."""
    made: Tensors = {"encoder.block.0.bias": _random(4)}

    def normalized(name: str, out: int, into: int, width: int, bias: int | None = None) -> None:
        made[f"{name}.weight_g"] = torch.rand(out, 1, 1) + 0.5
        made[f"{name}.weight_v"] = _random(out, into, width)
        made[f"{name}.bias"] = _random(bias or out)

    layers, channels, count = "decoder.model", WIDEST, len(RATES)
    normalized(f"{layers}.0", WIDEST, LATENT, 7)
    for number, rate in enumerate(RATES, 1):
        block = f"{layers}.{number}.block"
        made[f"{block}.0.alpha"] = torch.ones(1, channels, 1)
        normalized(f"{block}.1", channels, channels // 2, 2 * rate, channels // 2)
        channels //= 2
        for unit in (2, 3, 4):
            made |= {f"{block}.{unit}.block.{place}.alpha": torch.ones(1, channels, 1) for place in (0, 2)}
            normalized(f"{block}.{unit}.block.1", channels, channels, 7)
            normalized(f"{block}.{unit}.block.3", channels, channels, 1)
    made[f"{layers}.{count + 1}.alpha"] = torch.ones(1, channels, 1)
    normalized(f"{layers}.{count + 2}", 1, channels, 7)
    made[f"{layers}.{count + 2}.weight_g"] *= LOUDNESS
    return made | {"post_quant_conv.weight": _random(LATENT, LATENT, 1), "post_quant_conv.bias": _random(LATENT)}


def _velocity(weights: Tensors, x: Tensor, at: Tensor, text: Tensor) -> Tensor:
    """One evaluation of the denoiser: latents 1 x channels x n, a time in 0 to 1000, 512 hidden states."""
    head = DIM // HEADS

    def linear(name: str, value: Tensor) -> Tensor:
        return F.linear(value, weights[f"{name}.weight"], weights[f"{name}.bias"])

    def root_mean_square(name: str, value: Tensor) -> Tensor:
        return value * torch.rsqrt(value.pow(2).mean(-1, keepdim=True) + 1e-6) * weights[f"{name}.weight"]

    angles = torch.arange(x.shape[-1])[:, None] / 1e4 ** (torch.arange(0, head, 2) / head)
    cosines, sines = angles.cos()[None, None], angles.sin()[None, None]

    def turned(value: Tensor) -> Tensor:
        even, odd = value[..., 0::2], value[..., 1::2]
        return torch.stack([even * cosines - odd * sines, even * sines + odd * cosines], -1).flatten(-2)

    def attention(name: str, asking: Tensor, asked: Tensor, *, has_places: bool) -> Tensor:
        parts = (
            root_mean_square(f"{name}.norm_q", linear(f"{name}.to_q", asking)),
            root_mean_square(f"{name}.norm_k", linear(f"{name}.to_k", asked)),
            linear(f"{name}.to_v", asked),
        )
        query, key, value = (part.view(1, -1, HEADS, head).transpose(1, 2) for part in parts)
        if has_places:
            query, key = turned(query), turned(key)
        mixed = F.scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(2)
        return linear(f"{name}.to_out.0", mixed)

    def even_out(value: Tensor) -> Tensor:
        return F.layer_norm(value, (DIM,), eps=1e-6)

    half = FREQUENCIES // 2
    turns = at * torch.exp(-torch.log(torch.tensor(1e4)) * torch.arange(half) / half)
    time = linear("condition_embedder.time_embedder.linear_1", torch.cat([turns.cos(), turns.sin()])[None])
    time = linear("condition_embedder.time_embedder.linear_2", F.silu(time))
    changes = linear("condition_embedder.time_proj", F.silu(time)).view(1, 6, -1)
    words = F.gelu(linear("condition_embedder.text_embedder.linear_1", text), approximate="tanh")
    words = linear("condition_embedder.text_embedder.linear_2", words)
    y = x.transpose(1, 2) @ weights["patch_embedding.weight"][..., 0].T + weights["patch_embedding.bias"]
    for number in range(BLOCKS):
        block = f"blocks.{number}"
        table = (weights[f"{block}.scale_shift_table"] + changes).chunk(6, 1)
        within = even_out(y) * (1 + table[1]) + table[0]
        y = y + table[2] * attention(f"{block}.attn1", within, within, has_places=True)
        within = F.layer_norm(y, (DIM,), weights[f"{block}.norm2.weight"], weights[f"{block}.norm2.bias"], 1e-6)
        y = y + attention(f"{block}.attn2", within, words, has_places=False)
        within = even_out(y) * (1 + table[4]) + table[3]
        fed = F.gelu(linear(f"{block}.ffn.net.0.proj", within), approximate="tanh")
        y = y + table[5] * linear(f"{block}.ffn.net.2", fed)
    shift, scale = (weights["scale_shift_table"] + time[:, None]).chunk(2, 1)
    return linear("proj_out", even_out(y) * (1 + scale) + shift).transpose(1, 2)


def _decoded(weights: Tensors, x: Tensor) -> Tensor:
    """Samples of latents."""

    def parts(name: str) -> tuple[Tensor, Tensor]:
        bias = weights[f"state_dict.{name}.bias"]
        if f"state_dict.{name}.weight" in weights:
            return weights[f"state_dict.{name}.weight"], bias
        direction = weights[f"state_dict.{name}.weight_v"]
        return direction * (weights[f"state_dict.{name}.weight_g"] / direction.norm(dim=(1, 2), keepdim=True)), bias

    def snake(name: str, value: Tensor) -> Tensor:
        alpha = weights[f"state_dict.{name}.alpha"]
        return value + (alpha * value).sin().pow(2) / (alpha + 1e-9)

    def convolution(name: str, value: Tensor, reach: int = 1) -> Tensor:
        weight, bias = parts(name)
        return F.conv1d(value, weight, bias, padding=(weight.shape[-1] - 1) * reach // 2, dilation=reach)

    layers, count = "decoder.model", len(RATES)
    y = convolution(f"{layers}.0", convolution("post_quant_conv", x))
    for number, rate in enumerate(RATES, 1):
        block = f"{layers}.{number}.block"
        weight, bias = parts(f"{block}.1")
        y = F.conv_transpose1d(
            snake(f"{block}.0", y), weight, bias, stride=rate, padding=(rate + 1) // 2, output_padding=rate % 2
        )
        for unit, reach in ((2, 1), (3, 3), (4, 9)):
            inner = f"{block}.{unit}.block"
            made = convolution(f"{inner}.1", snake(f"{inner}.0", y), reach)
            y = y + convolution(f"{inner}.3", snake(f"{inner}.2", made))
    return torch.tanh(convolution(f"{layers}.{count + 2}", snake(f"{layers}.{count + 1}", y)))
