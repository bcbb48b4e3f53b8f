"""The demo model's components: a ZImagePipeline small enough to train and to run on a CPU.

The text encoder is a table of words and two causal layers (ZImagePipeline reads the last but one hidden state, so the
third layer is never used). The transformer rotates its queries by image position only (the first rotary axis has no
width): word order comes from the text encoder, and all padding tokens of a sequence are alike.
"""

from __future__ import annotations

from typing import Any

import torch
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers

from pipelines.demo.captions import vocabulary
from pipelines.runtime import torchaudio_stub

torchaudio_stub.install()  # before diffusers and transformers are imported

from diffusers import (  # noqa: E402
    AutoencoderDC,
    FlowMatchEulerDiscreteScheduler,
    ZImagePipeline,
    ZImageTransformer2DModel,
)
from transformers import PreTrainedTokenizerFast, Qwen3Config, Qwen3Model  # noqa: E402

SIDE, CELL, LATENT_CHANNELS, TEXT_WIDTH, WIDTH = 256, 32, 16, 64, 192
Untyped = Any  # diffusers' modules do not type their parts
PAD, UNKNOWN, START = "[PAD]", "[UNK]", "[START]"
MAX_WORDS = 30
SHIFT = 2.0
TEMPLATE = f"{{{{ '{START} ' + (messages[-1]['content'].split()[:{MAX_WORDS}] | join(' ')) }}}}"


def build_vae(scaling_factor: float = 1.0) -> Untyped:
    """Return an AutoencoderDC, 32-fold (256 x 256 x 3 to 8 x 8 x 16), without layers wider than their neighborhood.

    ZImagePipeline reads settings that AutoencoderDC does not declare; they are registered beside its own.
    """
    vae: Untyped = AutoencoderDC(  # type: ignore[no-untyped-call]
        latent_channels=LATENT_CHANNELS,
        encoder_block_types="ResBlock",
        decoder_block_types="ResBlock",
        encoder_block_out_channels=(32, 32, 64, 64, 64, 128),
        decoder_block_out_channels=(16, 32, 64, 128, 128, 128),
        encoder_layers_per_block=(0, 1, 1, 1, 1, 0),
        decoder_layers_per_block=(0, 1, 2, 2, 1, 1),
        encoder_qkv_multiscales=((),) * 6,
        decoder_qkv_multiscales=((),) * 6,
        scaling_factor=scaling_factor,
    )
    vae.register_to_config(block_out_channels=(16, 32, 64, 128, 128, 128), shift_factor=0.0)
    return vae


def build_tokenizer() -> PreTrainedTokenizerFast:
    """Return a tokenizer of lowercase words without punctuation; a prompt becomes [START] and at most 30 words."""
    words = [PAD, UNKNOWN, START, *vocabulary()]
    tokenizer = Tokenizer(models.WordLevel({word: index for index, word in enumerate(words)}, unk_token=UNKNOWN))
    strip = normalizers.Replace(Regex("[^a-z0-9]+"), " ")
    tokenizer.normalizer = normalizers.Sequence([normalizers.Lowercase(), strip])
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    fast = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer,
        pad_token=PAD,
        unk_token=UNKNOWN,
        bos_token=START,
        padding_side="right",
        model_max_length=512,
    )
    fast.chat_template = TEMPLATE
    return fast


def build_text_encoder(words: int) -> Qwen3Model:
    """Return two causal layers over the words, 64 wide, and the unused third."""
    config = Qwen3Config(
        vocab_size=words,
        hidden_size=TEXT_WIDTH,
        intermediate_size=2 * TEXT_WIDTH,
        num_hidden_layers=3,
        num_attention_heads=2,
        num_key_value_heads=2,
        head_dim=TEXT_WIDTH // 2,
        max_position_embeddings=512,
        pad_token_id=0,
        bos_token_id=2,
        initializer_range=0.1,
    )
    return Qwen3Model(config)


def build_transformer() -> Untyped:
    """Return a ZImageTransformer2DModel, 192 wide: one block each for image and words, then five for both."""
    transformer: Untyped = ZImageTransformer2DModel(  # type: ignore[no-untyped-call]
        in_channels=LATENT_CHANNELS,
        dim=WIDTH,
        n_layers=5,
        n_refiner_layers=1,
        n_heads=4,
        n_kv_heads=4,
        cap_feat_dim=TEXT_WIDTH,
        rope_theta=8.0,
        axes_dims=[0, 24, 24],
        axes_lens=[1024, 32, 32],
    )
    with torch.no_grad():
        transformer.x_pad_token.normal_(std=0.5)
        transformer.cap_pad_token.normal_(std=0.5)
        for block in (*transformer.noise_refiner, *transformer.layers):
            linear = block.adaLN_modulation[0]
            linear.weight.zero_()
            linear.bias.view(2, 2, WIDTH)[:, 0] = 0.0
            linear.bias.view(2, 2, WIDTH)[:, 1] = 0.4
        transformer.all_final_layer["2-1"].linear.weight.normal_(std=0.01)
    return transformer


def build_pipeline(scaling_factor: float = 1.0) -> Untyped:
    """Return a ZImagePipeline with fresh weights; `scaling_factor` brings the latents to unit variance."""
    tokenizer = build_tokenizer()
    return ZImagePipeline(  # type: ignore[no-untyped-call]
        scheduler=FlowMatchEulerDiscreteScheduler(shift=SHIFT),  # type: ignore[no-untyped-call]
        vae=build_vae(scaling_factor),
        text_encoder=build_text_encoder(len(tokenizer)),
        tokenizer=tokenizer,
        transformer=build_transformer(),
    )
