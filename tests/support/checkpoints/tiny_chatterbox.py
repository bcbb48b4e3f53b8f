"""Chatterbox, shrunk and random, in exactly the published layouts.

Its networks take their sizes from their own modules, not from a file beside the weights. So `shrunken` makes those
sizes small, for as long as a checkpoint is written or loaded; names of files and tensors stay what they are.
"""

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import soundfile
import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, models, pre_tokenizers

from pipelines.catalog.spec import ModelSpec
from pipelines.memory.weight_loader import WeightLoader
from pipelines.speech.chatterbox import nets
from pipelines.speech.chatterbox.family import Chatterbox
from pipelines.speech.chatterbox.tokens import SPEECH_TOKENS
from pipelines.speech.chatterbox.voices import ReferenceVoice, embed_voice
from pipelines.speech.encode import encode
from pipelines.weights.pickles import convert

__all__ = ["BUILDERS", "TinyChatterbox", "encode", "save", "save_voice", "shrunken"]

RATE = 24_000
HIDDEN = 64
_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.,!?-'\""


class TinyChatterbox(Chatterbox):
    """The family itself, loading a shrunken checkpoint; a catalog of tests names it as module:class."""

    def __init__(self, spec: ModelSpec, weights: Path, device: str, loader: WeightLoader | None = None) -> None:
        with shrunken():
            super().__init__(spec, weights, device, loader)


@contextmanager
def shrunken() -> Iterator[None]:
    """Within it, Chatterbox's networks are made small. Llama keeps 14 layers and 16 heads, which are watched."""
    from chatterbox.models.s3gen import s3gen
    from chatterbox.models.t3 import llama_configs
    from chatterbox.models.t3.modules import cond_enc
    from s3tokenizer.model_v2 import S3TokenizerV2

    llama = {"hidden_size": HIDDEN, "intermediate_size": 32, "num_hidden_layers": 14, "head_dim": 4}
    gpt = {"n_embd": HIDDEN, "hidden_size": HIDDEN, "n_layer": 2, "n_head": 2}
    estimator = {"channels": [32], "n_blocks": 1, "num_mid_blocks": 1, "num_heads": 1, "attention_head_dim": 32}
    tokenizer = next(value for value in S3TokenizerV2.__init__.__defaults__ if hasattr(value, "n_audio_state"))
    with ExitStack() as stack:
        stack.enter_context(patch.dict(llama_configs.LLAMA_520M_CONFIG_DICT, llama))
        for config in (llama_configs.GPT2_MEDIUM_CONFIG, llama_configs.LLAMA_CONFIGS["GPT2_small"]):
            stack.enter_context(patch.dict(config, gpt))
        perceiver = partial(cond_enc.Perceiver, 4, HIDDEN, HIDDEN, 2)
        stack.enter_context(patch.object(cond_enc, "Perceiver", perceiver))
        for name, smaller in (
            ("ConditionalDecoder", estimator),
            ("UpsampleConformerEncoder", {"linear_units": 32, "num_blocks": 1}),
            ("CAMPPlus", {"growth_rate": 8, "init_channels": 32}),
            ("HiFTGenerator", {"base_channels": 32}),
            ("ConvRNNF0Predictor", {"cond_channels": 32}),
        ):
            stack.enter_context(patch.object(s3gen, name, _smaller(getattr(s3gen, name), smaller)))
        for name, size in (("n_audio_state", 64), ("n_audio_head", 1), ("n_audio_layer", 1)):
            stack.enter_context(patch.object(tokenizer, name, size))
        yield


def _smaller(make: Any, sizes: dict[str, Any]) -> Any:
    return lambda **arguments: make(**(arguments | sizes))


def save(name: str, folder: Path, *, builtin: bool = True) -> Path:
    """Write the checkpoint of that layout, the same one every time, with or without a built-in voice."""
    folder.mkdir(parents=True)
    with torch.random.fork_rng(devices=[]), shrunken():
        torch.manual_seed(len(name))
        BUILDERS[name](folder)
        if builtin:
            loaded = nets.load_nets(folder, WeightLoader("cpu"), torch.float32)
            save_conditionals(embed_voice(loaded, hum(6.0, 180)), folder)
    return folder


def save_voice(file: Path, seconds: float = 6.0, pitch: float = 150, rate: int = RATE) -> Path:
    """A recording of a hum, as the sanitizer leaves one: WAV, 16 bits, one channel, a rate of its own."""
    soundfile.write(file, hum(seconds, pitch, rate), rate, subtype="PCM_16")
    return file


def hum(seconds: float, pitch: float, rate: int = RATE) -> np.ndarray:
    """A tone with overtones that wavers and swells."""
    time = np.arange(round(seconds * rate)) / rate
    phase = 2 * np.pi * (pitch * time + 3 * np.sin(2 * np.pi * time))
    voice = sum(np.sin(part * phase) / part for part in range(1, 6))
    return (0.2 * voice * (0.6 + 0.4 * np.sin(2 * np.pi * 3 * time))).astype(np.float32)


def _english(folder: Path) -> None:
    _characters(folder / "tokenizer.json")
    _save(nets.VoiceEncoder(), folder / "ve.safetensors")
    _save(_decided(nets.T3(nets.T3Config.english_only())), folder / "t3_cfg.safetensors")
    _save(nets.S3Gen(), folder / "s3gen.safetensors")


def _multilingual(folder: Path) -> None:
    """Published with two pickles, of which `atelier weights fetch` makes safetensors."""
    _characters(folder / "grapheme_mtl_merged_expanded_v1.json", "[en]", "[de]", "[pt]", "[zh]", "[cj_a]", "[cj_.]")
    (folder / "Cangjie5_TC.json").write_text(json.dumps(["你\ta", "好\taa"], ensure_ascii=False), "utf-8")
    _save(_decided(nets.T3(nets.T3Config.multilingual())), folder / "t3_mtl23ls_v3.safetensors")
    _save_pickle(nets.VoiceEncoder().state_dict(), folder / "ve.pt")
    _save_pickle(nets.S3Gen().state_dict(), folder / "s3gen.pt")


def _nano(folder: Path) -> None:
    _turbo(folder, "nano", "GPT2_small")


def _turbo(folder: Path, name: str = "turbo", sizes: str = "GPT2_medium") -> None:
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {letter: number for number, letter in enumerate([*alphabet, "<|endoftext|>"])}
    end = "<|endoftext|>"
    config = {"tokenizer_class": "GPT2Tokenizer", "bos_token": end, "eos_token": end, "unk_token": end}
    (folder / "vocab.json").write_text(json.dumps(vocabulary, ensure_ascii=False), "utf-8")
    (folder / "merges.txt").write_text("#version: 0.2\n", "utf-8")
    (folder / "tokenizer_config.json").write_text(json.dumps({**config, "model_max_length": 1024}), "utf-8")
    (folder / "special_tokens_map.json").write_text(json.dumps({"eos_token": end}), "utf-8")
    (folder / "added_tokens.json").write_text("{}", "utf-8")
    _save(nets.VoiceEncoder(), folder / "ve.safetensors")
    _save(_decided(nets.T3(_turbo_config(sizes))), folder / f"t3_{name}_v1.safetensors")
    _save(nets.S3Gen(meanflow=True), folder / "s3gen_meanflow.safetensors")


BUILDERS = {"english": _english, "multilingual": _multilingual, "turbo": _turbo, "nano": _nano}


def _turbo_config(sizes: str) -> Any:
    config = nets.T3Config(text_tokens_dict_size=50276)
    config.llama_config_name = sizes
    config.speech_tokens_dict_size = 6563
    config.input_pos_emb = None
    config.speech_cond_prompt_len = 375
    config.use_perceiver_resampler = False
    config.emotion_adv = False
    return config


def _decided(t3: Any) -> Any:
    """Let the text reach the tokens, which are mostly audio.

    In a fresh network every token is as likely as any other, whatever the text.
    """
    for tensor in t3.tfmr.parameters():
        if tensor.dim() == 2:
            tensor.data.normal_(0, 0.2)
    if t3.cond_enc.emotion_adv_fc is not None:
        t3.cond_enc.emotion_adv_fc.weight.data.mul_(20)
    t3.speech_head.weight.data.mul_(6)
    t3.speech_head.weight.data[SPEECH_TOKENS:] = 0
    return t3


def _characters(file: Path, *more: str) -> None:
    """A tokenizer of single letters, with the marks that Chatterbox's own have."""
    vocabulary = {"[STOP]": 0, "[UNK]": 1, "[SPACE]": 2}
    for token in (*_LETTERS, *more):
        vocabulary[token] = len(vocabulary)
    vocabulary["[START]"] = 255
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[], unk_token="[UNK]"))
    tokenizer.add_special_tokens(["[START]", "[STOP]", "[UNK]", "[SPACE]", *more])
    tokenizer.save(str(file))


def _save(net: torch.nn.Module, file: Path) -> None:
    save_file({name: tensor.contiguous().clone() for name, tensor in net.state_dict().items()}, file)


def _save_pickle(content: dict[str, Any], file: Path) -> None:
    torch.save(content, file)
    convert(file, file.with_suffix(".safetensors"))
    file.unlink()


def save_conditionals(voice: ReferenceVoice, folder: Path) -> None:
    """As Chatterbox's own `Conditionals.save` writes them."""
    condition = voice.condition(0.5, torch.float32)
    _save_pickle({"t3": vars(condition), "gen": voice.leading}, folder / "conds.pt")
