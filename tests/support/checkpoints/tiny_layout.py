"""From what `save_pretrained` of today writes to the files that the large models were published with.

Other tokenizer files, weights in several shards, a processor in files of its own: code that loads the large models
meets all of it.
"""

import json
from pathlib import Path
from typing import Any

import msgspec
from diffusers import DiffusionPipeline
from transformers import PreTrainedTokenizerBase


class Layout(msgspec.Struct, frozen=True):
    """What differs: components in shards, and patterns of files that were not published."""

    shards: tuple[str, ...] = ()
    without: tuple[str, ...] = ()


LAYOUTS = {
    "sdxl": Layout(without=("tokenizer*/tokenizer.json", "tokenizer*/added_tokens.json")),
    "zimage": Layout(
        ("text_encoder", "transformer"), ("tokenizer/added_tokens.json", "tokenizer/special_tokens_map.json")
    ),
    "flux2klein": Layout(("text_encoder",)),
    "qwenimage": Layout(("text_encoder", "transformer"), ("tokenizer/tokenizer.json",)),
    "qwenedit": Layout(("text_encoder", "transformer"), ("tokenizer/tokenizer.json",)),
}
"""By the names of `tiny_checkpoints.BUILDERS`; what is not here stays as `save_pretrained` writes it."""


def save_published(pipe: DiffusionPipeline, name: str, folder: Path, variant: str | None = None) -> None:
    """Save `pipe` as the model of that name was published."""
    pipe.save_pretrained(folder, variant=variant)
    layout = LAYOUTS.get(name)
    if layout is None:
        return
    for part, component in pipe.components.items():
        if isinstance(component, PreTrainedTokenizerBase):
            _tokenizer_files(component, folder / part)
        elif part == "processor":
            _processor_files(component, folder / part)
    for part in layout.shards:
        _shards(pipe.components[part], folder / part)
    if name == "zimage":
        _template_into_configuration(folder / "tokenizer")
    if "text_encoder" in layout.shards:
        (folder / "text_encoder" / "generation_config.json").write_text("{}")
    for pattern in layout.without:
        for file in folder.glob(pattern):
            file.unlink()


def _tokenizer_files(tokenizer: PreTrainedTokenizerBase, folder: Path) -> None:
    """What byte-pair tokenizers consisted of before `tokenizer.json`."""
    vocabulary = json.loads((folder / "tokenizer.json").read_text())["model"]["vocab"]
    marks = {token: n for token, n in vocabulary.items() if token.startswith("<|")}
    _write(folder / "vocab.json", vocabulary)
    _write(folder / "added_tokens.json", marks)
    _write(folder / "special_tokens_map.json", {"eos_token": tokenizer.eos_token, "pad_token": tokenizer.pad_token})
    (folder / "merges.txt").write_text("#version: 0.2\n")
    configuration = json.loads((folder / "tokenizer_config.json").read_text())
    decoder = {n: {"content": token, "special": True, "normalized": False} for token, n in marks.items()}
    _write(folder / "tokenizer_config.json", configuration | {"added_tokens_decoder": decoder})


def _processor_files(processor: Any, folder: Path) -> None:
    """A Qwen-VL processor in one file per part, under the name of the library's own class."""
    processor.tokenizer.save_pretrained(folder)
    _tokenizer_files(processor.tokenizer, folder)
    settings = json.loads((folder / "processor_config.json").read_text())["image_processor"]
    _write(folder / "preprocessor_config.json", settings | {"processor_class": "Qwen2VLProcessor"})
    _write(folder / "video_preprocessor_config.json", settings | {"video_processor_type": "Qwen2VLVideoProcessor"})
    (folder / "processor_config.json").unlink()
    index = json.loads((folder.parent / "model_index.json").read_text())
    _write(folder.parent / "model_index.json", index | {"processor": ["transformers", "Qwen2VLProcessor"]})


def _shards(model: Any, folder: Path) -> None:
    (whole,) = folder.glob("*.safetensors")
    size = whole.stat().st_size
    whole.unlink()
    model.save_pretrained(folder, max_shard_size=size // 2)


def _template_into_configuration(folder: Path) -> None:
    template = folder / "chat_template.jinja"
    configuration = json.loads((folder / "tokenizer_config.json").read_text())
    _write(folder / "tokenizer_config.json", configuration | {"chat_template": template.read_text()})
    template.unlink()


def _write(file: Path, content: dict[str, Any]) -> None:
    file.write_text(json.dumps(content, indent=2, sort_keys=True))
