"""Tiny random language models in exactly the published layouts: 30 kB each, of single bytes as tokens."""

from pathlib import Path
from typing import Any

import torch
from tokenizers.pre_tokenizers import ByteLevel
from transformers import (
    GenerationConfig,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
    Qwen2Tokenizer,
    Qwen3_5Config,
    Qwen3_5ForConditionalGeneration,
    Qwen3Config,
    Qwen3ForCausalLM,
)
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

MARKS = (
    *("<|endoftext|>", "<|im_start|>", "<|im_end|>"),
    *("<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>"),
)
CHAT = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n"
    "{% if m['content'] is string %}{{ m['content'] }}{% else %}{% for part in m['content'] %}"
    "{% if part['type'] == 'image' %}<|vision_start|><|image_pad|><|vision_end|>{% else %}{{ part['text'] }}{% endif %}"
    "{% endfor %}{% endif %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
"""A chat template in which pictures stand as in Qwen's."""
CONTEXT = 384
"""Tokens that the models read and write together."""
SIZES = {
    "hidden_size": 32,
    "intermediate_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "max_position_embeddings": CONTEXT,
}


def save(name: str, folder: Path, seed: int = 0) -> Path:
    """Build and save a model of `BUILDERS`, which never ends by itself; the same seed gives the same bytes.

    Returns `folder`.
    """
    torch.manual_seed(seed)
    tokens = tokenizer()
    model = BUILDERS[name](tokens)
    ends = [tokens.convert_tokens_to_ids(mark) for mark in ("<|im_end|>", "<|endoftext|>")]
    settings = {"eos_token_id": ends, "suppress_tokens": ends, "pad_token_id": ends[1], "do_sample": True, "top_k": 20}
    model.generation_config = GenerationConfig(**settings)
    model.save_pretrained(folder)
    tokens.save_pretrained(folder)
    if getattr(model.config, "image_token_id", None) is not None:
        processor().save_pretrained(folder)
    return folder


def processor() -> Qwen2VLImageProcessorPil:
    """The image processor of Qwen3.5, for pictures of at most 64 x 64 pixels: 4 tokens."""
    size = {"shortest_edge": 32 * 32, "longest_edge": 64 * 64}
    half = [0.5] * 3
    return Qwen2VLImageProcessorPil(
        size=size, patch_size=16, temporal_patch_size=2, merge_size=2, image_mean=half, image_std=half
    )


def tokenizer() -> Qwen2Tokenizer:
    """The tokenizer: a byte is a token."""
    tokens = [*sorted(ByteLevel.alphabet()), *MARKS]
    made = Qwen2Tokenizer(
        vocab={token: number for number, token in enumerate(tokens)},
        merges=[],
        model_max_length=CONTEXT,
        extra_special_tokens=list(MARKS[1:]),
    )
    made.chat_template = CHAT
    return made


def llama(tokens: Qwen2Tokenizer) -> PreTrainedModel:
    """SmolLM2's class, whose last layer is that of its embeddings."""
    return LlamaForCausalLM(LlamaConfig(vocab_size=len(tokens), tie_word_embeddings=True, **_sizes(tokens)))


def qwen3(tokens: Qwen2Tokenizer) -> PreTrainedModel:
    """Qwen3's class, which normalizes queries and keys."""
    return Qwen3ForCausalLM(Qwen3Config(vocab_size=len(tokens), head_dim=16, **_sizes(tokens)))


def qwen3_5(tokens: Qwen2Tokenizer) -> PreTrainedModel:
    """Qwen3.5's class, of which every other layer attends linearly; it has eyes."""
    rope = {
        "rope_type": "default",
        "rope_theta": 1e4,
        "mrope_section": [1, 1, 0],
        "mrope_interleaved": True,
        "partial_rotary_factor": 0.25,
    }
    linear = dict.fromkeys(("linear_num_key_heads", "linear_num_value_heads"), 2)
    linear |= dict.fromkeys(("linear_key_head_dim", "linear_value_head_dim"), 8)
    text = SIZES | linear | {"vocab_size": len(tokens), "head_dim": 16, "rope_parameters": rope}
    vision = {
        **dict.fromkeys(("hidden_size", "intermediate_size", "out_hidden_size"), 32),
        "depth": 1,
        "num_heads": 2,
        "patch_size": 16,
        "spatial_merge_size": 2,
        "temporal_patch_size": 2,
        "num_position_embeddings": 64,
    }
    config = Qwen3_5Config(
        text_config=text | {"layer_types": ["linear_attention", "full_attention"]},
        vision_config=vision,
        vision_start_token_id=tokens.convert_tokens_to_ids("<|vision_start|>"),
        vision_end_token_id=tokens.convert_tokens_to_ids("<|vision_end|>"),
        image_token_id=tokens.convert_tokens_to_ids("<|image_pad|>"),
        video_token_id=tokens.convert_tokens_to_ids("<|video_pad|>"),
    )
    return Qwen3_5ForConditionalGeneration(config)


def _sizes(tokens: Qwen2Tokenizer) -> dict[str, Any]:
    return SIZES | {"eos_token_id": tokens.convert_tokens_to_ids("<|im_end|>")}


BUILDERS = {"llama": llama, "qwen3": qwen3, "qwen3_5": qwen3_5}
