"""What passes as a LoRA: the header of safetensors, its tensors without gaps, and names of LoRA layers alone."""

import struct
from pathlib import Path
from typing import Any

import msgspec
import pytest

from core.errors.base import AtelierError
from core.errors.inputs import InputUnreadable, UnsupportedMedia
from workers.ingest.lora_cleaner import MAX_HEADER, clean_lora

DOWN = {"dtype": "F16", "shape": [2, 8], "data_offsets": [0, 32]}
UP = {"dtype": "F16", "shape": [8, 2], "data_offsets": [32, 64]}
ALPHA = {"dtype": "F32", "shape": [], "data_offsets": [64, 68]}
WHOLE: dict[str, Any] = {
    "__metadata__": {"format": "pt"},
    "blocks.0.to_q.lora_A.weight": DOWN,
    "blocks.0.to_q.lora_B.weight": UP,
    "blocks.0.to_q.alpha": ALPHA,
}


def saved(file: Path, header: Any, data: int = 68) -> Path:
    encoded = msgspec.json.encode(header)
    file.write_bytes(struct.pack("<Q", len(encoded)) + encoded + bytes(data))
    return file


def test_a_lora_is_copied_byte_by_byte(tmp_path: Path) -> None:
    source = saved(tmp_path / "source", WHOLE)

    clean_lora(source, tmp_path / "clean.safetensors")

    assert source.read_bytes() == (tmp_path / "clean.safetensors").read_bytes()


@pytest.mark.parametrize(
    ("header", "data", "error", "words"),
    [
        (WHOLE, 67, InputUnreadable, "not whole"),
        (WHOLE, 69, InputUnreadable, "not whole"),
        (["a"], 68, InputUnreadable, "not whole"),
        (WHOLE | {"blocks.0.to_q.alpha": ALPHA | {"data_offsets": [60, 64]}}, 68, InputUnreadable, "not whole"),
        (WHOLE | {"blocks.0.to_q.alpha": ALPHA | {"shape": [-1]}}, 68, InputUnreadable, "not whole"),
        (WHOLE | {"blocks.0.to_q.alpha": ALPHA | {"dtype": "I64"}}, 68, InputUnreadable, "the type I64"),
        (WHOLE | {"blocks.0.to_q.alpha": ALPHA | {"dtype": 7}}, 68, InputUnreadable, "not whole"),
        ({}, 0, UnsupportedMedia, "has no tensors"),
        ({"blocks.0.to_q.weight": DOWN}, 32, UnsupportedMedia, "'blocks.0.to_q.weight', which is of no LoRA"),
    ],
)
def test_anything_else_is_refused(
    tmp_path: Path, header: Any, data: int, error: type[AtelierError], words: str
) -> None:
    with pytest.raises(error, match=words):
        clean_lora(saved(tmp_path / "source", header, data), tmp_path / "clean.safetensors")
    assert not (tmp_path / "clean.safetensors").exists()


def test_an_endless_header_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "source").write_bytes(struct.pack("<Q", MAX_HEADER + 1) + b"{")
    with pytest.raises(InputUnreadable, match="has 16777217 bytes"):
        clean_lora(tmp_path / "source", tmp_path / "clean.safetensors")
