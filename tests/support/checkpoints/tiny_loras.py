"""Small random LoRAs, in the two spellings of the usual trainers."""

from pathlib import Path

import torch
from safetensors.torch import save_file

RANK = 2
ZIMAGE_LAYERS = {f"diffusion_model.layers.{n}.attention.to_{part}": (32, 32) for n in (0, 1) for part in "qkv"}
"""Layers of the tiny Z-Image, with their sides."""
KLEIN_LAYERS = {
    f"transformer.transformer_blocks.0.attn.{part}": (32, 32) for part in ("to_q", "to_k", "to_v", "add_q_proj")
}
"""The same of the tiny FLUX.2 klein, by the names of diffusers."""
WAN_LAYERS = {f"diffusion_model.blocks.{n}.self_attn.{part}": (32, 32) for n in (0, 1) for part in "qkv"}
"""Layers of Wan's tiny transformers, by the names that trainers give them."""


def save_lora(file: Path, layers: dict[str, tuple[int, int]], *, alpha: bool, seed: int = 0) -> Path:
    """Weights for `layers`, each with its (in, out) sides, as one file; returns it.

    `alpha`: `lora_down`, `lora_up` and a scale for each layer, as Qwen-Image's Lightning has them; otherwise
    `lora_A` and `lora_B`, as PEFT writes them.
    """
    generator = torch.Generator().manual_seed(seed)
    down, up = ("lora_down", "lora_up") if alpha else ("lora_A", "lora_B")
    tensors = {}
    for layer, (inside, outside) in layers.items():
        tensors[f"{layer}.{down}.weight"] = torch.randn(RANK, inside, generator=generator)
        tensors[f"{layer}.{up}.weight"] = torch.randn(outside, RANK, generator=generator)
        if alpha:
            tensors[f"{layer}.alpha"] = torch.tensor(float(RANK))
    file.parent.mkdir(parents=True, exist_ok=True)
    save_file(tensors, file, metadata={"format": "pt"})
    return file
