"""Which LoRAs are for another model, by the headers of the files."""

import struct
from pathlib import Path

import msgspec
import pytest

from core.errors.inputs import LoraNotCompatible
from pipelines.image.lora_fit import check_fit

ZIMAGE = ("ZImageTransformer2DModel", {f"layers.{n}.attention.to_q.weight": [32, 48] for n in range(3)})
WAN = ("WanTransformer3DModel", {f"blocks.{n}.attn1.to_q.weight": [32, 48] for n in range(3)})
KLEIN = (
    "Flux2Transformer2DModel",
    {"transformer_blocks.1.attn.to_q.weight": [32, 48], "single_transformer_blocks.3.attn.to_out.weight": [32, 64]},
)
UNKNOWN = ("NewTransformer2DModel", {"stages.0.to_q.weight": [32, 48]})
Model = tuple[str, dict[str, list[int]]]


def saved(file: Path, tensors: dict[str, list[int]]) -> Path:
    """A file whose header has tensors of these shapes, and which has nothing else."""
    header = {name: {"dtype": "F16", "shape": shape, "data_offsets": [0, 0]} for name, shape in tensors.items()}
    encoded = msgspec.json.encode({"__metadata__": {"format": "pt"}, **header})
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(struct.pack("<Q", len(encoded)) + encoded)
    return file


def weights(folder: Path, model: Model) -> Path:
    kind, tensors = model
    saved(folder / "transformer" / "model.safetensors", tensors)
    (folder / "transformer" / "config.json").write_bytes(msgspec.json.encode({"_class_name": kind}))
    return folder


@pytest.mark.parametrize(
    ("model", "down"),
    [
        (ZIMAGE, "diffusion_model.layers.2.attention.qkv.lora_A.weight"),
        (ZIMAGE, "lora_unet_layers_2_attention_to_q.lora_down.weight"),
        (ZIMAGE, "diffusion_model.cap_embedder.9.lora_A.weight"),
        (ZIMAGE, "text_encoder.layers.30.self_attn.q_proj.lora_A.weight"),
        (WAN, "blocks.0.self_attn.q.lora_down.weight"),
        (KLEIN, "base_model.model.single_blocks.3.linear1.lora_A.default.weight"),
        (KLEIN, "transformer.transformer_blocks.1.attn.to_q.lora_A.weight"),
        (UNKNOWN, "transformer.blocks.70.attn.to_q.lora_A.weight"),
    ],
)
def test_what_may_fit_passes(tmp_path: Path, model: Model, down: str) -> None:
    up = down.replace("lora_A", "lora_B").replace("lora_down", "lora_up")
    lora = saved(tmp_path / "lora", {down: [4, 48], up: [32, 4], "layers.alpha": []})
    check_fit(lora, "one", weights(tmp_path / "one", model))


@pytest.mark.parametrize(
    ("model", "down", "shape", "words"),
    [
        (ZIMAGE, "diffusion_model.layers.3.attention.to_q.lora_A.weight", [4, 48], "one has 3 of 'layers'"),
        (ZIMAGE, "lora_unet_layers_3_attention_to_q.lora_down.weight", [4, 48], "one has 3 of 'layers'"),
        (ZIMAGE, "diffusion_model.blocks.0.self_attn.q.lora_A.weight", [4, 48], "one has no 'blocks'"),
        (WAN, "lora_unet_double_blocks_0_img_attn_proj.lora_down.weight", [4, 48], "one has no 'double_blocks'"),
        (KLEIN, "single_blocks.4.linear1.lora_A.weight", [4, 48], "one has 4 of 'single_blocks'"),
        (KLEIN, "transformer.transformer_blocks.1.attn.to_q.lora_A.weight", [4, 96], "takes 96 numbers"),
        (UNKNOWN, "transformer.stages.0.to_q.lora_A.weight", [4, 96], "takes 96 numbers"),
    ],
)
def test_what_is_for_another_model_is_named(
    tmp_path: Path, model: Model, down: str, shape: list[int], words: str
) -> None:
    with pytest.raises(LoraNotCompatible, match=f"made for another model; .*{words}"):
        check_fit(saved(tmp_path / "lora", {down: shape}), "one", weights(tmp_path / "one", model))


def test_weights_that_are_not_all_there_say_nothing(tmp_path: Path) -> None:
    lora = saved(tmp_path / "lora", {"diffusion_model.blocks.0.self_attn.q.lora_A.weight": [4, 7]})
    check_fit(lora, "one", tmp_path / "nothing")
    folder = weights(tmp_path / "one", ZIMAGE)
    index = {"weight_map": {"a": "model.safetensors", "b": "later.safetensors"}}
    (folder / "transformer" / "model.safetensors.index.json").write_bytes(msgspec.json.encode(index))
    check_fit(lora, "one", folder)
    saved(folder / "transformer" / "later.safetensors", {"layers.3.attention.to_q.weight": [32, 48]})
    with pytest.raises(LoraNotCompatible):
        check_fit(lora, "one", folder)
