"""Tiny random checkpoints of video models in exactly the published layout, as `tiny_checkpoints` has them for images.

`save(name, folder)` builds one of `BUILDERS`: 0.5 to 4 MB each.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from diffusers import (
    AutoencoderKLLTXVideo,
    AutoencoderKLWan,
    Cosmos3AVAEAudioTokenizer,
    Cosmos3OmniPipeline,
    Cosmos3OmniTransformer,
    DiffusionPipeline,
    FlowMatchEulerDiscreteScheduler,
    LTXPipeline,
    LTXVideoTransformer3DModel,
    UniPCMultistepScheduler,
    WanImageToVideoPipeline,
    WanPipeline,
    WanTransformer3DModel,
    WanVACEPipeline,
    WanVACETransformer3DModel,
)
from transformers import (
    T5Config,
    T5EncoderModel,
    T5Tokenizer,
    UMT5Config,
    UMT5EncoderModel,
)

from tests.support.checkpoints.tiny_checkpoints import LETTERS, qwen_tokenizer

LATENTS = 48
"""Channels of Wan2.2's latents."""


def save(name: str, folder: Path, seed: int = 0) -> Path:
    """Build and save one checkpoint; the same seed gives the same bytes. Returns `folder`."""
    torch.manual_seed(seed)
    BUILDERS[name]().save_pretrained(folder)
    index = folder / "model_index.json"
    # The published indexes name the tokenizer by the class it had before transformers 5.
    text = index.read_text("utf-8").replace('"T5Tokenizer"', '"T5TokenizerFast"')
    # Cosmos 3 is published with its guardrail on, which is another repository.
    index.write_text(text.replace('"enable_safety_checker": false', '"enable_safety_checker": true'), "utf-8")
    return folder


def save_fastwan(folder: Path) -> Path:
    """Build and save FastWan: Wan2.2-TI2V-5B under the name of a pipeline that diffusers does not have."""
    index = save("wan22", folder) / "model_index.json"
    index.write_text(index.read_text("utf-8").replace('"WanPipeline"', '"WanDMDPipeline"'), "utf-8")
    return folder


def components(folder: Path) -> dict[str, list[str | None]]:
    """Component folders and their classes, as `model_index.json` has them."""
    index = json.loads((folder / "model_index.json").read_text("utf-8"))
    return {name: value for name, value in index.items() if isinstance(value, list)}


def wan22() -> DiffusionPipeline:
    """Wan2.2-TI2V-5B: one transformer with a time step per token, and the residual autoencoder.

    The autoencoder sees 2x2 pixels as one.
    """
    return WanPipeline(
        tokenizer=tokenizer(),
        text_encoder=umt5(),
        transformer=_transformer(in_channels=LATENTS, out_channels=LATENTS),
        vae=AutoencoderKLWan(
            base_dim=8,
            decoder_base_dim=8,
            z_dim=LATENTS,
            dim_mult=[1, 2, 2, 2],
            num_res_blocks=1,
            temperal_downsample=[False, True, True],
            latents_mean=[0.01 * n for n in range(LATENTS)],
            latents_std=[0.5 + 0.01 * n for n in range(LATENTS)],
            is_residual=True,
            in_channels=12,
            out_channels=12,
            patch_size=2,
            scale_factor_spatial=16,
        ),
        scheduler=_unipc(5.0),
        expand_timesteps=True,
    )


def wan22a14b() -> DiffusionPipeline:
    """Wan2.2-I2V-A14B: two transformers, one for much noise and one for little; it can end at an image.

    Its index names the image-to-video pipeline.
    """
    return WanImageToVideoPipeline(
        tokenizer=tokenizer(),
        text_encoder=umt5(),
        transformer=_transformer(in_channels=36, out_channels=16),
        transformer_2=_transformer(in_channels=36, out_channels=16),
        vae=AutoencoderKLWan(base_dim=4, z_dim=16, dim_mult=[1, 1, 1, 1], num_res_blocks=1),
        scheduler=_unipc(3.0),
        boundary_ratio=0.9,
    )


def vace() -> DiffusionPipeline:
    """Wan2.1-VACE-1.3B: Wan2.1 with blocks beside some of its own, which read what is known of the film."""
    return WanVACEPipeline(
        tokenizer=tokenizer(),
        text_encoder=umt5(),
        transformer=_transformer(
            WanVACETransformer3DModel, in_channels=16, out_channels=16, vace_layers=[0], vace_in_channels=96
        ),
        vae=AutoencoderKLWan(base_dim=4, z_dim=16, dim_mult=[1, 1, 1, 1], num_res_blocks=1),
        scheduler=_unipc(3.0),
    )


def cosmos3() -> DiffusionPipeline:
    """Cosmos3-Nano: one transformer that reads the prompt's tokens beside those of the film and of its sound."""
    tokenizer = qwen_tokenizer()
    tokenizer.add_special_tokens({"additional_special_tokens": ["<|vision_start|>"]})
    return Cosmos3OmniPipeline(
        text_tokenizer=tokenizer,
        transformer=Cosmos3OmniTransformer(
            head_dim=16,
            hidden_size=32,
            intermediate_size=32,
            latent_channel=16,
            patch_latent_dim=64,
            num_attention_heads=2,
            num_key_value_heads=1,
            num_hidden_layers=2,
            vocab_size=len(tokenizer),
            sound_dim=4,
            sound_gen=True,
            sound_latent_fps=25.0,
            rope_axes_dim=(4, 2, 2),
        ),
        vae=AutoencoderKLWan(base_dim=4, z_dim=16, dim_mult=[1, 1, 1, 1], num_res_blocks=1),
        sound_tokenizer=Cosmos3AVAEAudioTokenizer(
            vocoder_input_dim=4,
            dec_dim=4,
            dec_c_mults=(1, 1, 1, 1, 1),
            enc_dim=4,
            enc_latent_dim=8,
            enc_c_mults=(1, 1, 1),
        ),
        scheduler=_unipc(3.0),
        enable_safety_checker=False,
    )


def ltx() -> DiffusionPipeline:
    """LTX-Video: T5, latents packed into tokens, 32x32 pixels and 8 frames each."""
    return LTXPipeline(
        tokenizer=tokenizer(),
        text_encoder=_t5(),
        transformer=LTXVideoTransformer3DModel(
            in_channels=8,
            out_channels=8,
            num_attention_heads=4,
            attention_head_dim=8,
            cross_attention_dim=32,
            num_layers=2,
            caption_channels=32,
        ),
        vae=AutoencoderKLLTXVideo(
            latent_channels=8,
            block_out_channels=(8, 8, 8, 8),
            decoder_block_out_channels=(8, 8, 8, 8),
            layers_per_block=(1, 1, 1, 1, 1),
            decoder_layers_per_block=(1, 1, 1, 1, 1),
        ),
        scheduler=FlowMatchEulerDiscreteScheduler(),
    )


BUILDERS: dict[str, Callable[[], DiffusionPipeline]] = {
    "wan22": wan22,
    "wan22a14b": wan22a14b,
    "vace": vace,
    "cosmos3": cosmos3,
    "ltx": ltx,
}


def _transformer(type_: Any = WanTransformer3DModel, **config: Any) -> Any:
    return type_(
        num_attention_heads=2,
        attention_head_dim=16,
        text_dim=32,
        freq_dim=32,
        ffn_dim=32,
        num_layers=2,
        rope_max_seq_len=64,
        **config,
    )


def _unipc(shift: float) -> UniPCMultistepScheduler:
    return UniPCMultistepScheduler(prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=shift)


def umt5() -> UMT5EncoderModel:
    words = len(tokenizer())
    return UMT5EncoderModel(UMT5Config(vocab_size=words, d_model=32, d_kv=8, d_ff=37, num_layers=2, num_heads=4))


def _t5() -> T5EncoderModel:
    words = len(tokenizer())
    return T5EncoderModel(T5Config(vocab_size=words, d_model=32, d_kv=8, d_ff=37, num_layers=2, num_heads=4))


def tokenizer() -> T5Tokenizer:
    special = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -1.0)]
    vocabulary = special + [(letter, -2.0) for letter in LETTERS]
    return T5Tokenizer(vocab=vocabulary, extra_ids=0, model_max_length=512)
