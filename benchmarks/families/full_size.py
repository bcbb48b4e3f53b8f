"""Checkpoints of the published sizes with random weights: nothing is downloaded, and the FLOPs are the same.

Tokenizers, schedulers and the layout of the folder are those of the tests' tiny checkpoints; every network in it is
replaced by one of the size in `NETWORKS`, whose numbers are those of the published `config.json`s.
"""

import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn

from pipelines.runtime import torchaudio_stub

torchaudio_stub.install()  # before diffusers is imported

from diffusers import (  # noqa: E402
    AutoencoderKL,
    AutoencoderKLWan,
    DiffusionPipeline,
    UNet2DConditionModel,
    WanTransformer3DModel,
    ZImageTransformer2DModel,
)
from transformers import (  # noqa: E402
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    Qwen3Config,
    Qwen3Model,
    UMT5Config,
    UMT5EncoderModel,
)

from tests.support.checkpoints import tiny_checkpoints, tiny_videos  # noqa: E402

TINY = {
    "z-image": tiny_checkpoints.BUILDERS["zimage"],
    "sdxl": tiny_checkpoints.BUILDERS["sdxl"],
    "wan22": tiny_videos.BUILDERS["wan22"],
}
_BLOCKS = {
    "block_out_channels": (128, 256, 512, 512),
    "down_block_types": ("DownEncoderBlock2D",) * 4,
    "up_block_types": ("UpDecoderBlock2D",) * 4,
    "layers_per_block": 2,
    "sample_size": 1024,
}


def _clip(hidden: int, layers: int, heads: int, projection: int, activation: str) -> CLIPTextConfig:
    return CLIPTextConfig(
        vocab_size=49408,
        hidden_size=hidden,
        intermediate_size=4 * hidden,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        projection_dim=projection,
        hidden_act=activation,
    )


NETWORKS: dict[str, dict[str, Callable[[], nn.Module]]] = {
    "z-image": {
        "transformer": ZImageTransformer2DModel,  # the class's own defaults are the published model
        "text_encoder": lambda: Qwen3Model(
            Qwen3Config(
                vocab_size=151936,
                hidden_size=2560,
                intermediate_size=9728,
                num_hidden_layers=36,
                num_attention_heads=32,
                num_key_value_heads=8,
                head_dim=128,
                max_position_embeddings=40960,
            )
        ),
        "vae": lambda: AutoencoderKL(
            **_BLOCKS,
            latent_channels=16,
            scaling_factor=0.3611,
            shift_factor=0.1159,
            use_quant_conv=False,
            use_post_quant_conv=False,
        ),
    },
    "sdxl": {
        "unet": lambda: UNet2DConditionModel(
            sample_size=128,
            layers_per_block=2,
            block_out_channels=(320, 640, 1280),
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
            attention_head_dim=(5, 10, 20),
            transformer_layers_per_block=(1, 2, 10),
            cross_attention_dim=2048,
            use_linear_projection=True,
            addition_embed_type="text_time",
            addition_time_embed_dim=256,
            projection_class_embeddings_input_dim=2816,
        ),
        "text_encoder": lambda: CLIPTextModel(_clip(768, 12, 12, 768, "quick_gelu")),
        "text_encoder_2": lambda: CLIPTextModelWithProjection(_clip(1280, 32, 20, 1280, "gelu")),
        "vae": lambda: AutoencoderKL(**_BLOCKS, latent_channels=4, scaling_factor=0.13025),
    },
    "wan22": {
        "transformer": lambda: WanTransformer3DModel(
            num_attention_heads=24,
            attention_head_dim=128,
            in_channels=48,
            out_channels=48,
            text_dim=4096,
            freq_dim=256,
            ffn_dim=14336,
            num_layers=30,
        ),
        "text_encoder": lambda: UMT5EncoderModel(
            UMT5Config(vocab_size=256384, d_model=4096, d_kv=64, d_ff=10240, num_layers=24, num_heads=64)
        ),
        "vae": lambda: AutoencoderKLWan(
            base_dim=160,
            decoder_base_dim=256,
            z_dim=48,
            dim_mult=[1, 2, 4, 4],
            num_res_blocks=2,
            temperal_downsample=[False, True, True],
            latents_mean=[0.0] * 48,
            latents_std=[1.0] * 48,
            is_residual=True,
            in_channels=12,
            out_channels=12,
            patch_size=2,
            scale_factor_spatial=16,
        ),
    },
}
"""By the names in `gpu_models.toml`."""


def save(name: str, folder: Path, *, tiny: bool) -> None:
    """Write the checkpoint of that name; `tiny` leaves it as the tests have it."""
    torch.manual_seed(0)
    pipe: DiffusionPipeline = TINY[name]()
    pipe.save_pretrained(folder)
    del pipe
    for part, build in {} if tiny else NETWORKS[name].items():
        shutil.rmtree(folder / part)
        network: Any = materialised(on_meta(build))
        network.save_pretrained(folder / part, max_shard_size="4GB")  # several files are hashed at once


def on_meta(build: Callable[[], nn.Module]) -> nn.Module:
    """The network in bfloat16 without memory for its weights."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.bfloat16)
    try:
        with torch.device("meta"):
            return build()
    finally:
        torch.set_default_dtype(before)


@torch.no_grad()
def materialised(network: nn.Module) -> nn.Module:
    """The network with weights that keep its numbers finite: normal with 0.02, scales of norms 1, offsets 0.

    One random block is repeated, since drawing billions of numbers would take minutes.
    """
    network.to_empty(device="cpu")
    block = torch.randn(2**22, dtype=torch.float32).mul_(0.02).bfloat16()
    for name, weight in network.named_parameters():
        if name.endswith("bias"):
            weight.zero_()
        elif weight.ndim == 1 or name.endswith("gamma"):
            weight.fill_(1.0)
        else:
            flat = weight.view(-1)
            for start in range(0, flat.numel(), block.numel()):
                piece = flat[start : start + block.numel()]
                piece.copy_(block[: piece.numel()])
    if hasattr(network, "tie_weights"):
        network.tie_weights()
    return network


def parameters(network: nn.Module) -> int:
    """How many numbers it has."""
    return sum(math.prod(weight.shape) for weight in network.parameters())
