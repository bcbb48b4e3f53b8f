"""A tiny random MuseTalk 1.5 in the layout of the published files, each pickle as safetensors."""

import json
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from safetensors.torch import save_file
from transformers import WhisperConfig, WhisperFeatureExtractor, WhisperModel

CHANNELS = 32
"""Of Whisper's states."""


def save(folder: Path, seed: int = 0) -> Path:
    """Build and save it; the same seed gives the same bytes. Returns `folder`."""
    torch.manual_seed(seed)
    own = folder / "musetalkV15"
    own.mkdir(parents=True)
    AutoencoderKL(
        block_out_channels=(8, 8, 8, 8),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        latent_channels=4,
        norm_num_groups=8,
    ).save_pretrained(folder / "sd-vae")
    sizes = {
        "d_model": CHANNELS,
        "encoder_layers": 4,
        "decoder_layers": 1,
        "encoder_ffn_dim": 32,
        "decoder_ffn_dim": 32,
    }
    whisper = WhisperModel(WhisperConfig(encoder_attention_heads=2, decoder_attention_heads=2, **sizes))
    whisper.save_pretrained(folder / "whisper")
    WhisperFeatureExtractor().save_pretrained(folder / "whisper")
    config: dict[str, Any] = {
        "_class_name": "UNet2DConditionModel",
        "sample_size": 32,
        "in_channels": 8,
        "out_channels": 4,
        "layers_per_block": 1,
        "block_out_channels": [8, 8],
        "down_block_types": ["CrossAttnDownBlock2D", "DownBlock2D"],
        "up_block_types": ["UpBlock2D", "CrossAttnUpBlock2D"],
        "cross_attention_dim": CHANNELS,
        "attention_head_dim": 2,
        "norm_num_groups": 8,
    }
    (own / "musetalk.json").write_text(json.dumps(config))
    net = UNet2DConditionModel(**{name: value for name, value in config.items() if not name.startswith("_")})
    save_file(net.state_dict(), own / "unet.safetensors", metadata={"format": "pt"})
    return folder
