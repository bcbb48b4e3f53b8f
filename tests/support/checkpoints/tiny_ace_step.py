"""A random ACE-Step 1.5 checkpoint in the published layout, shrunken: a turbo one, which has no guidance, or a base."""

from pathlib import Path

import torch
from diffusers import AceStepPipeline, AceStepTransformer1DModel, AutoencoderOobleck, FlowMatchEulerDiscreteScheduler
from diffusers.pipelines.ace_step.modeling_ace_step import AceStepConditionEncoder
from transformers import Qwen3Config, Qwen3Model

from tests.support.checkpoints.tiny_checkpoints import qwen_tokenizer

SIZES = {"hidden_size": 32, "intermediate_size": 64, "num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 16}
ACOUSTIC = 8
"""Channels of a latent."""


def save(folder: Path, *, is_turbo: bool = True) -> Path:
    """Write the checkpoint; the same bytes every time."""
    torch.manual_seed(0)
    tokenizer = qwen_tokenizer()
    tokenizer.model_max_length = 4096
    encoder = Qwen3Config(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=16,
        max_position_embeddings=4096,
    )
    layers = {"num_lyric_encoder_hidden_layers": 1, "num_timbre_encoder_hidden_layers": 1, "sliding_window": 16}
    pipe = AceStepPipeline(
        vae=AutoencoderOobleck(
            encoder_hidden_size=8,
            downsampling_ratios=[4, 6, 8, 10],
            channel_multiples=[1, 1, 1, 2],
            decoder_channels=8,
            decoder_input_channels=ACOUSTIC,
            audio_channels=2,
            sampling_rate=48_000,
        ),
        text_encoder=Qwen3Model(encoder),
        tokenizer=tokenizer,
        transformer=AceStepTransformer1DModel(
            num_hidden_layers=2,
            in_channels=3 * ACOUSTIC,
            audio_acoustic_hidden_dim=ACOUSTIC,
            sliding_window=16,
            is_turbo=is_turbo,
            **SIZES,
        ),
        condition_encoder=AceStepConditionEncoder(text_hidden_dim=32, timbre_hidden_dim=ACOUSTIC, **layers, **SIZES),
        scheduler=FlowMatchEulerDiscreteScheduler(num_train_timesteps=1, shift=1.0),
    )
    pipe.save_pretrained(folder)  # type: ignore[no-untyped-call]
    return folder
