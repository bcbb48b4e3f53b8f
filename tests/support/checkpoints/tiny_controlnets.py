"""Tiny random ControlNets in the layouts of the published ones, for the tiny Z-Image and Stable Diffusion XL.

Z-Image's is one file without a configuration (alibaba-pai), that of Stable Diffusion XL a folder of diffusers (xinsir).
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import (
    ControlNetUnionModel,
    DiffusionPipeline,
    StableDiffusionXLControlNetUnionPipeline,
    UNet2DConditionModel,
    ZImageControlNetModel,
    ZImageControlNetPipeline,
)
from numpy.typing import NDArray
from PIL import Image
from safetensors.torch import save_file

from tests.support.checkpoints.image_runs import directly

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


def steered(
    name: str, weights: Path, control: Image.Image, mode: int, scale: float, **arguments: Any
) -> NDArray[np.uint8]:
    """The image as diffusers makes it, of a ControlNet that it loaded by itself."""
    base = DiffusionPipeline.from_pretrained(weights / name, dtype=torch.float32)
    folder = weights / f"{name}-controlnet"
    if name == "zimage":
        config, file = weights / "config-of-zimage", folder / FILES[name]
        ZImageControlNetModel(**ZIMAGE).save_config(config)
        network = ZImageControlNetModel.from_single_file(str(file), config=str(config), torch_dtype=torch.float32)
        pipe: Any = ZImageControlNetPipeline(**base.components, controlnet=network)
        more: dict[str, Any] = {}
    else:
        network = ControlNetUnionModel.from_pretrained(folder, dtype=torch.float32)
        pipe = StableDiffusionXLControlNetUnionPipeline(**base.components, controlnet=network)
        more = {"control_mode": [mode]}
    pipe.set_progress_bar_config(disable=True)
    call = {"control_image": [control] if more else control, "controlnet_conditioning_scale": scale, **more}
    return directly(weights / name, 2, pipe, **call, **arguments)


def _random(network: Any) -> Any:
    """Fill every tensor: those of new layers are zero, and would steer nothing."""
    with torch.no_grad():
        for tensor in network.parameters():
            tensor.normal_(std=0.1)
    return network
