"""Tiny random checkpoints in exactly the published diffusers layout: the large models' code on a laptop.

`save(name, folder)` builds one of `BUILDERS` with seeded random weights (hidden 32, one or two layers, tokenizers
of single characters built in code) and saves it as the large one was published: 0.1 to 2 MB each.
"""

from collections.abc import Callable
from pathlib import Path

import torch
from diffusers import (
    AutoencoderKL,
    AutoencoderKLFlux2,
    DiffusionPipeline,
    EulerDiscreteScheduler,
    FlowMatchEulerDiscreteScheduler,
    Flux2KleinPipeline,
    Flux2Transformer2DModel,
    FluxPipeline,
    FluxTransformer2DModel,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
    ZImagePipeline,
    ZImageTransformer2DModel,
)
from tokenizers.pre_tokenizers import ByteLevel
from transformers import (
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    CLIPTokenizer,
    Qwen2Tokenizer,
    Qwen3Config,
    Qwen3ForCausalLM,
    Qwen3Model,
    T5Config,
    T5EncoderModel,
    T5Tokenizer,
)

from tests.support.checkpoints.tiny_layout import save_published
from tests.support.checkpoints.tiny_qwen import qwenedit, qwenimage

LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789.,!?-'"
CHAT = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def save(name: str, folder: Path, seed: int = 0, variant: str | None = None) -> Path:
    """Build and save one checkpoint; the same seed gives the same bytes. Returns `folder`."""
    torch.manual_seed(seed)
    save_published(BUILDERS[name](), name, folder, variant)
    return folder


def sdxl() -> DiffusionPipeline:
    """Two CLIP encoders, a UNet, epsilon prediction, classifier-free guidance."""
    unet = UNet2DConditionModel(
        sample_size=32,
        layers_per_block=1,
        block_out_channels=(32, 64),
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        attention_head_dim=(2, 4),
        transformer_layers_per_block=(1, 1),
        cross_attention_dim=64,
        use_linear_projection=True,
        addition_embed_type="text_time",
        addition_time_embed_dim=8,
        projection_class_embeddings_input_dim=80,
    )
    return StableDiffusionXLPipeline(
        vae=_vae(4),
        text_encoder=_clip(CLIPTextModel),
        text_encoder_2=_clip(CLIPTextModelWithProjection),
        tokenizer=_clip_tokenizer(),
        tokenizer_2=_clip_tokenizer(),
        unet=unet,
        scheduler=EulerDiscreteScheduler(),
        add_watermarker=False,
    )


def flux() -> DiffusionPipeline:
    """CLIP and T5, the double and single stream transformer, distilled guidance."""
    transformer = FluxTransformer2DModel(
        patch_size=1,
        in_channels=16,
        num_layers=1,
        num_single_layers=1,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=32,
        pooled_projection_dim=32,
        axes_dims_rope=(4, 4, 8),
        guidance_embeds=True,
    )
    tokenizer = _t5_tokenizer()
    return FluxPipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(),
        vae=_vae(4, shift_factor=0.06, scaling_factor=1.5),
        text_encoder=_clip(CLIPTextModel),
        tokenizer=_clip_tokenizer(),
        text_encoder_2=T5EncoderModel(
            T5Config(vocab_size=len(tokenizer), d_model=32, d_kv=8, d_ff=37, num_layers=2, num_heads=4)
        ),
        tokenizer_2=tokenizer,
        transformer=transformer,
    )


def zimage() -> DiffusionPipeline:
    """Qwen3 hidden states, the single stream transformer."""
    transformer = ZImageTransformer2DModel(
        in_channels=16,
        dim=32,
        n_layers=2,
        n_refiner_layers=1,
        n_heads=2,
        n_kv_heads=2,
        cap_feat_dim=32,
        axes_dims=[8, 4, 4],
        axes_lens=[1024, 1024, 1024],
    )
    with torch.no_grad():  # made with torch.empty
        transformer.x_pad_token.zero_()
        transformer.cap_pad_token.zero_()
    return ZImagePipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(),
        vae=_vae(16, scaling_factor=0.36, shift_factor=0.11),
        text_encoder=Qwen3Model(_qwen(hidden=32, layers=2, head=16)),
        tokenizer=qwen_tokenizer(),
        transformer=transformer,
    )


def flux2klein() -> DiffusionPipeline:
    """Hidden states of three layers of Qwen3 (hence 28 of them), the Flux 2 transformer and VAE."""
    transformer = Flux2Transformer2DModel(
        patch_size=1,
        in_channels=16,
        num_layers=1,
        num_single_layers=1,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=48,
        timestep_guidance_channels=32,
        axes_dims_rope=(4, 4, 4, 4),
    )
    vae = AutoencoderKLFlux2(
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        block_out_channels=(32, 64),
        layers_per_block=1,
        latent_channels=4,
        sample_size=32,
    )
    return Flux2KleinPipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(),
        vae=vae,
        text_encoder=Qwen3ForCausalLM(_qwen(hidden=16, layers=28, head=8)),
        tokenizer=qwen_tokenizer(),
        transformer=transformer,
    )


BUILDERS: dict[str, Callable[[], DiffusionPipeline]] = {
    "sdxl": sdxl,
    "flux": flux,
    "zimage": zimage,
    "flux2klein": flux2klein,
    "qwenimage": qwenimage,
    "qwenedit": qwenedit,
}


def _vae(latent_channels: int, **config: float) -> AutoencoderKL:
    return AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        block_out_channels=(32, 64),
        latent_channels=latent_channels,
        sample_size=32,
        use_quant_conv=latent_channels != 16,
        use_post_quant_conv=latent_channels != 16,
        **config,
    )


def _clip(class_: type[CLIPTextModel] | type[CLIPTextModelWithProjection]) -> CLIPTextModel:
    words = len(_clip_tokenizer())
    config = CLIPTextConfig(
        vocab_size=words,
        hidden_size=32,
        intermediate_size=37,
        num_hidden_layers=2,
        num_attention_heads=4,
        projection_dim=32,
        bos_token_id=words - 2,
        eos_token_id=words - 1,
        pad_token_id=words - 1,
    )
    return class_(config)


def _clip_tokenizer() -> CLIPTokenizer:
    tokens = [token for letter in LETTERS for token in (letter, letter + "</w>")]
    vocabulary = {token: n for n, token in enumerate([*tokens, "<|startoftext|>", "<|endoftext|>"])}
    return CLIPTokenizer(vocab=vocabulary, merges=[], model_max_length=77)


def _t5_tokenizer() -> T5Tokenizer:
    special = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -1.0)]
    vocabulary = special + [(letter, -2.0) for letter in LETTERS]
    return T5Tokenizer(vocab=vocabulary, extra_ids=0, model_max_length=512)


def _qwen(hidden: int, layers: int, head: int) -> Qwen3Config:
    return Qwen3Config(
        vocab_size=len(qwen_tokenizer()),
        hidden_size=hidden,
        intermediate_size=hidden,
        num_hidden_layers=layers,
        num_attention_heads=2,
        num_key_value_heads=2,
        head_dim=head,
        max_position_embeddings=512,
    )


def qwen_tokenizer() -> Qwen2Tokenizer:
    tokens = [*sorted(ByteLevel.alphabet()), "<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    tokenizer = Qwen2Tokenizer(
        vocab={token: n for n, token in enumerate(tokens)},
        merges=[],
        model_max_length=512,
        extra_special_tokens=["<|im_start|>", "<|im_end|>"],
    )
    tokenizer.chat_template = CHAT
    return tokenizer
