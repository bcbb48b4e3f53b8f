"""Whether a LoRA fits a model, by the headers of both files: nothing is loaded, and no torch.

Trainers name the layers of a transformer in several ways, which diffusers converts when it loads a LoRA. So only what
is the same in all of them is looked at: the lists of blocks, how long they are, and how many numbers a layer takes.
What passes may still not fit; what does not pass fits in no case.
"""

import re
import struct
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import msgspec

from core.errors.inputs import LoraNotCompatible
from pipelines.weights.footprint import read_header

_UNET = {name: name for name in ("down_blocks", "up_blocks", "input_blocks", "output_blocks")}
_FLUX2 = {
    "transformer_blocks": "transformer_blocks",
    "double_blocks": "transformer_blocks",
    "single_transformer_blocks": "single_transformer_blocks",
    "single_blocks": "single_transformer_blocks",
}
BLOCKS: Mapping[str, Mapping[str, str]] = {
    "Flux2Transformer2DModel": _FLUX2,
    "QwenImageTransformer2DModel": {"transformer_blocks": "transformer_blocks"},
    "UNet2DConditionModel": _UNET,
    "WanTransformer3DModel": {"blocks": "blocks"},
    "WanVACETransformer3DModel": {"blocks": "blocks", "vace_blocks": "vace_blocks"},
    "ZImageTransformer2DModel": {name: name for name in ("layers", "noise_refiner", "context_refiner")},
}
"""The lists of blocks of diffusers' classes, each by the names that trainers give it."""
_LISTS = frozenset(name for lists in BLOCKS.values() for name in lists)
_DOWN = re.compile(r"\.(?:lora_A|lora_down|lora\.down)(?:\.default)?\.weight$")
_PREFIX = re.compile(r"^(?:base_model\.model\.|diffusion_model\.|transformer\.|unet\.|lora_unet_|lora_transformer_)+")
_ENCODER = re.compile(r"^(?:base_model\.model\.)?(?:text_encoder|text_model|conditioner|clip_|lora_te|te\d?[._])")
_BLOCK = re.compile(r"^([a-z_]+?)[._](\d+)[._]")


class Layers(msgspec.Struct, frozen=True):
    """The layers of a transformer or UNet: its class, the length of each list of blocks, and the widths of inputs."""

    kind: str
    lengths: Mapping[str, int]
    widths: frozenset[int]


def check_fit(lora: Path, model: str, weights: Path) -> None:
    """Raise `LoraNotCompatible` where the LoRA was made for another model than this one, whose `weights` are a folder.

    Nothing is known of weights that are not there, and nothing is raised then.
    """
    layers = layers_of(weights)
    if layers is None:
        return
    for name, shape in _shapes(lora).items():
        if not _DOWN.search(name) or _ENCODER.match(name):
            continue
        module = _PREFIX.sub("", _DOWN.sub("", name))
        _check_block(module, model, layers)
        if len(shape) > 1 and shape[1] not in layers.widths:
            raise LoraNotCompatible(
                f"{LoraNotCompatible.advice} Its layer {module[:80]!r} takes {shape[1]} numbers, and no layer of "
                f"{model} does."
            )


def layers_of(weights: Path) -> Layers | None:
    """Return the layers of a model of diffusers; None where its folder does not have all of them, or is another's."""
    parts = (weights / name for name in ("transformer", "unet"))
    folder = next((part for part in parts if (part / "config.json").is_file()), None)
    try:
        return None if folder is None else _read(folder)
    except (OSError, struct.error, msgspec.MsgspecError):  # it is being written, or broken: its load says so
        return None


def _check_block(module: str, model: str, layers: Layers) -> None:
    found, own = _BLOCK.match(module), BLOCKS.get(layers.kind)
    if found is None or own is None or found[1] not in _LISTS:
        return
    if found[1] not in own:
        raise LoraNotCompatible(
            f"{LoraNotCompatible.advice} It has the layer {module[:80]!r}, and {model} has no {found[1]!r}."
        )
    length = layers.lengths.get(own[found[1]])
    if length is not None and int(found[2]) >= length:
        raise LoraNotCompatible(
            f"{LoraNotCompatible.advice} It has the layer {module[:80]!r}, and {model} has {length} of {found[1]!r}."
        )


@cache
def _read(folder: Path) -> Layers | None:
    """Return the layers of a folder. Raises `OSError`, `struct.error` and `MsgspecError`, which are not kept."""
    files = set(folder.glob("*.safetensors"))
    for index in folder.glob("*.safetensors.index.json"):
        files |= {folder / name for name in msgspec.json.decode(index.read_bytes())["weight_map"].values()}
    if not files:
        raise FileNotFoundError(folder)
    kind = msgspec.json.decode((folder / "config.json").read_bytes()).get("_class_name", "")
    lengths, widths = dict[str, int](), set[int]()
    for file in files:
        for name, shape in _shapes(file).items():
            if len(shape) > 1:
                widths.add(shape[1])
            if block := _BLOCK.match(name):
                lengths[block[1]] = max(lengths.get(block[1], 0), int(block[2]) + 1)
    return Layers(kind, lengths, frozenset(widths))


def _shapes(file: Path) -> dict[str, list[int]]:
    return {name: tensor["shape"] for name, tensor in read_header(file).items()}
