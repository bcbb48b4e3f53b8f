"""A tiny random Whisper in exactly the published layout of large-v3-turbo, of single bytes as tokens."""

from pathlib import Path
from typing import Any

import torch
from tokenizers.pre_tokenizers import ByteLevel
from transformers import (
    AddedToken,
    WhisperConfig,
    WhisperFeatureExtractor,
    WhisperForConditionalGeneration,
    WhisperProcessor,
    WhisperTokenizer,
)

LANGUAGES = ("en", "de", "pt")
MARKS = (
    "<|endoftext|>",
    "<|startoftranscript|>",
    *(f"<|{code}|>" for code in LANGUAGES),
    *("<|translate|>", "<|transcribe|>", "<|startoflm|>", "<|startofprev|>", "<|nospeech|>", "<|notimestamps|>"),
)
TIMES = 1501
"""Marks of times, every 20 ms of 30 s."""
TOKENS_OF_A_WINDOW = 24
"""The published 448 take a second on a CPU, even of a tiny model."""


def save(folder: Path, seed: int = 0, *, languages: tuple[str, ...] = LANGUAGES) -> Path:
    """Build and save the model; the same seed gives the same bytes. Without languages it is one of English alone."""
    torch.manual_seed(seed)
    tokens = tokenizer()
    id_of = {mark: int(tokens.convert_tokens_to_ids(mark)) for mark in MARKS}
    end = id_of["<|endoftext|>"]
    ends = {"eos_token_id": end, "pad_token_id": end, "bos_token_id": end}
    sides = {f"{coder}_{name}": value for coder in ("encoder", "decoder") for name, value in SIZES.items()}
    config = WhisperConfig(
        vocab_size=len(tokens),
        num_mel_bins=128,
        d_model=32,
        max_target_positions=448,
        decoder_start_token_id=id_of["<|startoftranscript|>"],
        **ends,
        **sides,
    )
    model = WhisperForConditionalGeneration(config)
    settings: Any = model.generation_config
    settings.is_multilingual = bool(languages)
    if languages:
        settings.lang_to_id = {f"<|{code}|>": id_of[f"<|{code}|>"] for code in languages}
        settings.task_to_id = {name: id_of[f"<|{name}|>"] for name in ("transcribe", "translate")}
    settings.no_timestamps_token_id = id_of["<|notimestamps|>"]
    settings.prev_sot_token_id = id_of["<|startofprev|>"]
    settings.alignment_heads = [[0, 0]]
    settings.max_initial_timestamp_index = 50
    settings.suppress_tokens, settings.begin_suppress_tokens = [], [end]
    settings.max_length = TOKENS_OF_A_WINDOW
    settings._from_model_config = False  # else what is set here is made anew of the model's configuration, and lost
    processor = WhisperProcessor(WhisperFeatureExtractor(feature_size=128), tokens)
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


SIZES = {"layers": 1, "attention_heads": 2, "ffn_dim": 32}


def tokenizer() -> WhisperTokenizer:
    """The tokenizer: a byte is a token, and so is each mark."""
    vocabulary = {token: number for number, token in enumerate(sorted(ByteLevel.alphabet()))}
    made = WhisperTokenizer(vocab=vocabulary, merges=[])
    made.add_special_tokens({"additional_special_tokens": list(MARKS)})
    made.add_tokens([AddedToken(f"<|{number * 0.02:.2f}|>") for number in range(TIMES)])
    return made
