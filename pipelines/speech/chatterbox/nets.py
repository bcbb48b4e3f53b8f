"""Chatterbox's networks and tokenizers, from safetensors alone: no pickle, no hub."""

import json
import logging
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import torch
from accelerate import init_empty_weights
from safetensors.torch import load_file
from tokenizers import Tokenizer

from core.errors.failures import ModelLoadFailed
from pipelines.memory.weight_loader import WeightLoader, convert_floats_to
from pipelines.speech.chatterbox.alignment import prepare_watched_layers
from pipelines.speech.chatterbox.layouts import CONDITIONALS, MULTILINGUAL, SPEAKER, Layout, layout_of

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of pkg_resources, which Perth uses
    from chatterbox import SUPPORTED_LANGUAGES, mtl_tts, tts, tts_turbo
    from chatterbox.models.s3gen import S3Gen
    from chatterbox.models.t3 import T3, llama_configs
    from chatterbox.models.t3.modules.t3_config import T3Config
    from chatterbox.models.tokenizers import EnTokenizer, MTLTokenizer
    from chatterbox.models.tokenizers.tokenizer import ChineseCangjieConverter
    from chatterbox.models.voice_encoder import VoiceEncoder

log = logging.getLogger(__name__)
logging.getLogger("chatterbox").setLevel(logging.ERROR)  # it logs every forced end of a sentence

GPT2_SMALL = llama_configs.GPT2_MEDIUM_CONFIG | {"n_embd": 768, "hidden_size": 768, "n_head": 12, "n_layer": 12}
"""The sizes of Nano, which this version of the authors' package does not have; the published file is as large."""
llama_configs.LLAMA_CONFIGS.setdefault("GPT2_small", GPT2_SMALL)

TEXT_LIMIT = 2048
"""Text tokens that the networks have positions for."""

Tokenize = Callable[[str, str], torch.Tensor]
"""Function from text and language to tokens, 1 x n, with begin and end tokens where the layout has them."""


class Nets(msgspec.Struct, frozen=True):
    """The loaded networks and tokenizer.

    T3 makes tokens of text; S3Gen makes audio of tokens, always in float32; `speaker` is the speaker encoder. `builtin`
    has the tensors of the built-in voice by name.
    """

    layout: Layout
    t3: Any
    s3gen: Any
    speaker: Any
    tokenize: Tokenize
    builtin: dict[str, torch.Tensor]
    languages: tuple[str, ...]
    device: str


def load_nets(folder: Path, loader: WeightLoader, dtype: torch.dtype) -> Nets:
    """Load a folder in one of the layouts; T3 in `dtype`. Raises `ModelLoadFailed`."""
    device = loader.device
    layout, t3_file = layout_of(folder)
    tokenize, languages = _tokenizer(layout, folder)
    conditionals = folder / CONDITIONALS
    return Nets(
        layout=layout,
        t3=_t3(layout, t3_file, loader, dtype).to(dtype),
        s3gen=_filled(S3Gen(meanflow=layout.is_turbo), folder / layout.s3gen, loader, allow_unexpected=True),
        speaker=_filled(VoiceEncoder(), folder / SPEAKER, loader),
        tokenize=tokenize,
        builtin=load_file(conditionals, device=device) if conditionals.is_file() else {},
        languages=languages,
        device=device,
    )


def _t3(layout: Layout, file: Path, loader: WeightLoader, dtype: torch.dtype) -> Any:
    if not layout.is_turbo:
        config = T3Config.multilingual() if layout is MULTILINGUAL else T3Config.english_only()
        t3 = _filled(_empty_t3(config), file, loader, dtype)
        if layout is MULTILINGUAL:
            prepare_watched_layers(t3.tfmr)
        return t3
    config = T3Config(text_tokens_dict_size=50276)
    config.llama_config_name = layout.gpt
    config.speech_tokens_dict_size = 6563
    config.input_pos_emb = None
    config.speech_cond_prompt_len = 375
    config.use_perceiver_resampler = False
    config.emotion_adv = False
    t3 = _filled(_empty_t3(config), file, loader, dtype)
    del t3.tfmr.wte  # T3 has an embedding of its own
    return t3


def _empty_t3(config: T3Config) -> Any:
    """Return T3 without memory for its weights; S3Gen and the speaker encoder compute some of theirs when made."""
    with init_empty_weights():
        return T3(config)


def _filled(
    net: Any, file: Path, loader: WeightLoader, dtype: torch.dtype = torch.float32, *, allow_unexpected: bool = False
) -> Any:
    """Return the network with the tensors of the file, complete, on the device and in inference mode.

    The authors load S3Gen with extra tensors in its file, so `allow_unexpected` logs them.
    """
    found = net.load_state_dict(loader.read([file], convert_floats_to(dtype)), strict=False, assign=True)
    constants = set(getattr(net, "ignore_state_dict_missing", ()))  # that it has computed itself
    wrong = sorted(set(found.missing_keys) - constants)
    if found.unexpected_keys and allow_unexpected:
        log.warning("%s holds %d tensors more than S3Gen has", file.name, len(found.unexpected_keys))
    elif found.unexpected_keys:
        wrong += sorted(found.unexpected_keys)
    if wrong:
        raise ModelLoadFailed(f"{file.name} is not of this layout: {', '.join(wrong[:3])} (and {len(wrong)} in all).")
    return loader.to_device(net.eval().requires_grad_(False))


def _tokenizer(layout: Layout, folder: Path) -> tuple[Tokenize, tuple[str, ...]]:
    if layout.is_turbo:
        return _turbo_tokenizer(folder), ("en",)
    if layout is MULTILINGUAL:
        return _multilingual_tokenizer(folder / layout.tokenizer)
    plain = EnTokenizer(str(folder / layout.tokenizer))
    return lambda text, language: _marked(plain.text_to_tokens(tts.punc_norm(text))), ("en",)


def _turbo_tokenizer(folder: Path) -> Tokenize:
    from transformers import AutoTokenizer

    plain = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    if plain.pad_token is None:
        plain.pad_token = plain.eos_token
    return lambda text, language: plain(tts_turbo.punc_norm(text), return_tensors="pt").input_ids[:, :TEXT_LIMIT]


def _multilingual_tokenizer(file: Path) -> tuple[Tokenize, tuple[str, ...]]:
    """Return the multilingual tokenizer and its languages.

    The tokenizer's own constructor would download the table of Chinese characters; here it lies beside the vocabulary.
    Without that table Chinese is not among the languages.
    """
    plain = MTLTokenizer.__new__(MTLTokenizer)
    plain.tokenizer = Tokenizer.from_file(str(file))
    plain.check_vocabset_sot_eot()
    table = file.with_name("Cangjie5_TC.json")
    if table.is_file():
        plain.cangjie_converter = _cangjie(table)
    languages = tuple(code for code in SUPPORTED_LANGUAGES if code != "zh" or table.is_file())
    return lambda text, code: _marked(plain.text_to_tokens(mtl_tts.punc_norm(text), language_id=code)), languages


def _cangjie(table: Path) -> Any:
    converter = ChineseCangjieConverter.__new__(ChineseCangjieConverter)
    converter.segmenter = None
    converter.word2cj, converter.cj2word = {}, {}
    for entry in json.loads(table.read_text("utf-8")):
        word, code = entry.split("\t")[:2]
        converter.word2cj[word] = code
        converter.cj2word.setdefault(code, []).append(word)
    return converter


def _marked(tokens: torch.Tensor) -> torch.Tensor:
    """Return the tokens between the begin and end tokens, truncated to the positions there are."""
    config = T3Config()
    inner = torch.nn.functional.pad(tokens[:, : TEXT_LIMIT - 2], (1, 0), value=config.start_text_token)
    return torch.nn.functional.pad(inner, (0, 1), value=config.stop_text_token).long()
