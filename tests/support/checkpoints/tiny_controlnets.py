"""Tiny random ControlNets in the layouts of the published ones, for the tiny Z-Image and Stable Diffusion XL.

Z-Image's is one file without a configuration (alibaba-pai), that of Stable Diffusion XL a folder of diffusers (xinsir).
"""

from pathlib import Path
from typing import Any

import torch
from diffusers import ControlNetUnionModel, UNet2DConditionModel, ZImageControlNetModel
from safetensors.torch import save_file

ZIMAGE: dict[str, Any] = {
    "control_layers_places": [0, 1],
    "control_refiner_layers_places": [0],
    "control_in_dim": 33,
    "add_control_noise_refiner": "control_noise_refiner",
    "dim": 32,
    "n_refiner_layers": 1,
    "n_heads": 2,
    "n_kv_heads": 2,
}
"""The configuration of the tiny Z-Image union: 33 channels are those of a picture, of another one and of a mask."""
FILES = {"zimage": "union.safetensors", "sdxl": "diffusion_pytorch_model.safetensors"}
OF_UNET = (
    *("block_out_channels", "layers_per_block", "down_block_types", "attention_head_dim", "use_linear_projection"),
    *("addition_embed_type", "addition_time_embed_dim", "transformer_layers_per_block", "cross_attention_dim"),
    "projection_class_embeddings_input_dim",
)


def entry_of(name: str) -> dict[str, Any]:
    """What the entry of a model says of its ControlNet."""
    config = {"config": ZIMAGE} if name == "zimage" else {}
    return {"source": {"path": f"{name}-controlnet"}, "file": FILES[name], "scale": 0.8, **config}


def save(name: str, weights: Path) -> Path:
    """Save the ControlNet of the checkpoint `name` of a weights folder beside it, and return its folder."""
    torch.manual_seed(5)
    folder = weights / f"{name}-controlnet"
    folder.mkdir()
    if name == "zimage":
        save_file(_random(ZImageControlNetModel(**ZIMAGE)).state_dict(), folder / FILES[name])
        return folder
    unet = UNet2DConditionModel.load_config(weights / name / "unet")
    network = ControlNetUnionModel(
        **{key: unet[key] for key in OF_UNET},
        conditioning_embedding_out_channels=(16, 32),
        num_trans_channel=32,
        num_trans_head=2,
        num_proj_channel=32,
    )
    _random(network).save_pretrained(folder)
    return folder


def _random(network: Any) -> Any:
    """Fill every tensor: those of new layers are zero, and would steer nothing."""
    with torch.no_grad():
        for tensor in network.parameters():
            tensor.normal_(std=0.1)
    return network
