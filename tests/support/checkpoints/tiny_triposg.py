"""Random TripoSG checkpoints with exactly the published tensor names, shrunken by their configuration.

The names come from `triposg_published.json` and not from our modules, so that a strict load proves something. `save`
writes one in the published layout (0.2 MB); `header_only` gives the full-size files without their bytes.
"""

import json
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from pipelines.catalog.spec import ModelSpec
from pipelines.memory.weight_loader import WeightLoader
from pipelines.mesh.encode import encode
from pipelines.mesh.triposg.extract import Grid
from pipelines.mesh.triposg.family import Sizes, TripoSG

__all__ = ["TinyTripoSG", "change", "config_text", "encode", "header_only", "save", "shapes", "tiny_shapes"]

PUBLISHED: dict[str, Any] = json.loads((Path(__file__).parent / "triposg_published.json").read_text())
FILES = {
    "transformer": "diffusion_pytorch_model.safetensors",
    "vae": "diffusion_pytorch_model.safetensors",
    "image_encoder_dinov2": "model.safetensors",
}
CONFIG_FILES = {
    **dict.fromkeys(FILES, "config.json"),
    "scheduler": "scheduler_config.json",
    "feature_extractor_dinov2": "preprocessor_config.json",
}

TINY_CONFIG: dict[str, dict[str, Any]] = {
    "transformer": {
        "num_attention_heads": 2,
        "width": 32,
        "in_channels": 8,
        "num_layers": 5,
        "cross_attention_dim": 24,
    },
    "vae": {
        "latent_channels": 8,
        "num_attention_heads": 2,
        "width_encoder": 12,
        "width_decoder": 16,
        "num_layers_encoder": 2,
        "num_layers_decoder": 3,
    },
    "image_encoder_dinov2": {
        "hidden_size": 24,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "image_size": 70,
    },
    "feature_extractor_dinov2": {"size": {"shortest_edge": 64}, "crop_size": {"height": 56, "width": 56}},
}
TINY_SIZES = {
    "transformer": {8192: 128, 4096: 64, 2048: 32, 1024: 24, 128: 16, 64: 8},
    "vae": {4096: 64, 2048: 48, 1024: 16, 512: 12, 128: 16, 64: 8},
    "image_encoder_dinov2": {4096: 96, 1370: 26, 1024: 24},
}
"""Every published length that depends on the configuration."""
TINY_BLOCKS = {
    "transformer": {"{0..20}": "{0..4}", "{11..20}": "{3..4}"},
    "vae": {"{0..8}": "{0..2}", "{1..8}": "{1..2}", "{0..15}": "{0..2}", "{0..16}": "{0..3}", ".16.": ".3."},
    "image_encoder_dinov2": {"{0..23}": "{0..1}"},
}


class TinyTripoSG(TripoSG):
    """The family at sizes for a laptop: 16 latent tokens, 8 to 32 cells."""

    def __init__(self, spec: ModelSpec, weights: Path, device: str, loader: WeightLoader | None = None) -> None:
        grid = Grid(coarse=8, doublings=2, near=0.05, chunk=1000)
        super().__init__(spec, weights, device, loader, sizes=Sizes(tokens=16, grid=grid))


def save(folder: Path, seed: int = 0) -> Path:
    """Write a checkpoint; the same seed gives the same bytes. Returns `folder`."""
    generator = torch.Generator().manual_seed(seed)
    for part, name in CONFIG_FILES.items():
        config = PUBLISHED[part]["config"] | TINY_CONFIG.get(part, {})
        (folder / part).mkdir(parents=True)
        (folder / part / name).write_text(json.dumps(config))
    for part, name in FILES.items():
        tensors = {tensor: _random(tensor, shape, generator) for tensor, shape in tiny_shapes(part).items()}
        if part == "vae":
            _shape(tensors)
        save_file(tensors, folder / part / name, metadata=PUBLISHED[part]["metadata"])
    return folder


def change(folder: Path, part: str, name: str, how: Callable[[Tensor], Tensor]) -> None:
    """Change one tensor of a saved checkpoint."""
    tensors = load_file(folder / part / FILES[part])
    tensors[name] = how(tensors[name])
    save_file(tensors, folder / part / FILES[part], metadata=PUBLISHED[part]["metadata"])


def shapes(part: str) -> dict[str, list[int]]:
    """Every published tensor of a part."""
    return _expanded(PUBLISHED[part]["tensors"])


def tiny_shapes(part: str) -> dict[str, list[int]]:
    """The same with fewer blocks and channels."""
    shrunken = {}
    for name, shape in PUBLISHED[part]["tensors"].items():
        for blocks, fewer in TINY_BLOCKS[part].items():
            name = name.replace(blocks, fewer)
        shrunken[name] = [TINY_SIZES[part].get(length, length) for length in shape]
    return _expanded(shrunken)


def config_text(part: str) -> str:
    """The published configuration of a part, as JSON."""
    return json.dumps(PUBLISHED[part]["config"])


def header_only(part: str, file: Path) -> Path:
    """The full-size safetensors file of a part, all of it but the bytes: a hole as long as they are."""
    header: dict[str, Any] = {"__metadata__": PUBLISHED[part]["metadata"]} if PUBLISHED[part]["metadata"] else {}
    end = 0
    for name, shape in sorted(shapes(part).items()):
        start, end = end, end + 4 * math.prod(shape)
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [start, end]}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with file.open("wb") as out:
        out.write(len(text).to_bytes(8, "little") + text)
        out.truncate(8 + len(text) + end)
    return file


def _expanded(patterns: dict[str, list[int]]) -> dict[str, list[int]]:
    found = {}
    for name, shape in patterns.items():
        blocks = re.search(r"\{(\d+)\.\.(\d+)\}", name)
        numbers = range(int(blocks[1]), int(blocks[2]) + 1) if blocks else [0]
        found |= {name.replace(blocks[0], str(number)) if blocks else name: shape for number in numbers}
    return found


def _random(name: str, shape: list[int], generator: torch.Generator) -> Tensor:
    """Weights large enough that every detail shows in the result, and small enough that nothing overflows."""
    noise = torch.randn(shape, generator=generator)
    if "norm" in name and name.endswith("weight"):
        return 1 + 0.3 * noise
    return noise / math.sqrt(math.prod(shape[1:])) if len(shape) > 1 else 0.3 * noise


def _shape(tensors: dict[str, Tensor]) -> None:
    """Let values change much across the cube, and not in high frequencies: a surface without foam.

    Their mean over sampled latents is about 0 then, so that there is a surface.
    """
    tensors["decoder.proj_query.weight"][:, :3] *= 3
    tensors["decoder.proj_query.weight"][:, 3:] *= 0.1
    tensors["decoder.proj_out.bias"][:] = -1.1
