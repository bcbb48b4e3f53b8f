"""Tiny random checkpoints of the Qwen-Image family; `tiny_checkpoints` saves them."""

import torch
from diffusers import (
    AutoencoderKLQwenImage,
    DiffusionPipeline,
    FlowMatchEulerDiscreteScheduler,
    QwenImageEditPlusPipeline,
    QwenImagePipeline,
    QwenImageTransformer2DModel,
)
from tokenizers.pre_tokenizers import ByteLevel
from transformers import Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration, Qwen2Tokenizer
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

from pipelines.diffusion.qwen_processor import ImageTextProcessor

MARKS = (
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|vision_start|>",
    "<|vision_end|>",
    "<|image_pad|>",
    "<|video_pad|>",
)


def qwenimage() -> DiffusionPipeline:
    """Hidden states of Qwen2.5-VL, the double stream transformer, guidance with a negative prompt."""
    return QwenImagePipeline(
        scheduler=_scheduler(),
        vae=_vae(),
        text_encoder=_text_encoder(),
        tokenizer=_tokenizer(),
        transformer=_transformer(),
    )


def qwenedit() -> DiffusionPipeline:
    """The same, which sees references twice: through the text encoder, and as latents."""
    return QwenImageEditPlusPipeline(
        scheduler=_scheduler(),
        vae=_vae(),
        text_encoder=_text_encoder(),
        tokenizer=_tokenizer(),
        processor=ImageTextProcessor(Qwen2VLImageProcessorPil(), _tokenizer()),
        transformer=_transformer(),
    )


def _scheduler() -> FlowMatchEulerDiscreteScheduler:
    return FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True)


def _transformer() -> QwenImageTransformer2DModel:
    transformer = QwenImageTransformer2DModel(
        patch_size=2,
        in_channels=16,
        out_channels=4,
        num_layers=2,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=32,
        axes_dims_rope=(4, 6, 6),
    )
    with torch.no_grad():  # so that the prompt and the references show in the image
        transformer.proj_out.weight.mul_(20)
    return transformer


def _vae() -> AutoencoderKLQwenImage:
    """Six levels, a factor of 32: references are encoded at a megapixel, and so are 256 tokens."""
    vae = AutoencoderKLQwenImage(
        base_dim=2,
        z_dim=4,
        dim_mult=[1] * 6,
        num_res_blocks=0,
        temperal_downsample=[False] * 3 + [True] * 2,
        latents_mean=[0.0] * 4,
        latents_std=[1.0] * 4,
    )
    with torch.no_grad():
        vae.decoder.conv_out.weight.mul_(10)
    return vae


def _text_encoder() -> Qwen2_5_VLForConditionalGeneration:
    tokenizer = _tokenizer()
    config = Qwen2_5_VLConfig(
        text_config={
            "vocab_size": len(tokenizer),
            "hidden_size": 32,
            "intermediate_size": 32,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "num_key_value_heads": 2,
            "bos_token_id": tokenizer.convert_tokens_to_ids("<|endoftext|>"),
            "eos_token_id": tokenizer.convert_tokens_to_ids("<|im_end|>"),
            "rope_parameters": {"rope_type": "default", "mrope_section": [2, 3, 3], "rope_theta": 1e6},
        },
        vision_config={
            "depth": 2,
            "hidden_size": 32,
            "intermediate_size": 32,
            "num_heads": 2,
            "out_hidden_size": 32,
            "fullatt_block_indexes": [1],
        },
        image_token_id=tokenizer.convert_tokens_to_ids("<|image_pad|>"),
        video_token_id=tokenizer.convert_tokens_to_ids("<|video_pad|>"),
        vision_start_token_id=tokenizer.convert_tokens_to_ids("<|vision_start|>"),
        vision_end_token_id=tokenizer.convert_tokens_to_ids("<|vision_end|>"),
    )
    return Qwen2_5_VLForConditionalGeneration(config)


def _tokenizer() -> Qwen2Tokenizer:
    tokens = [*sorted(ByteLevel.alphabet()), *MARKS]
    tokenizer = Qwen2Tokenizer(
        vocab={token: n for n, token in enumerate(tokens)},
        merges=[],
        model_max_length=4096,
        extra_special_tokens=list(MARKS[1:]),
    )
    tokenizer.chat_template = (
        "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    )
    return tokenizer
