"""GGUF files: made here by the format's description, and read back."""

import struct

import numpy as np
import pytest

from pipelines.text.gguf import BLOCK, GgufFile

VALUES = np.linspace(-1, 1, 2 * BLOCK, dtype=np.float32)


def text(words: str) -> bytes:
    return struct.pack("<Q", len(words.encode())) + words.encode()


def gguf(kind: int, content: bytes, *, shape: tuple[int, ...] = (2, BLOCK)) -> bytes:
    """A file of a number, a text, a list and one tensor."""
    facts = text("a.number") + struct.pack("<II", 4, 7) + text("a.text") + struct.pack("<I", 8) + text("hällo")
    facts += text("a.list") + struct.pack("<IIQ", 9, 8, 2) + text("one") + text("two")
    sides = b"".join(struct.pack("<Q", side) for side in reversed(shape))
    tensor = text("w") + struct.pack("<I", len(shape)) + sides + struct.pack("<IQ", kind, 0)
    head = b"GGUF" + struct.pack("<IQQ", 3, 1, 3) + facts + tensor
    return head + b"\0" * (-len(head) % 32) + content


def read(content: bytes) -> np.ndarray:
    ((name, values),) = GgufFile(content).tensors()
    assert "w" == name
    return values


def test_facts_and_plain_numbers():
    file = GgufFile(gguf(0, VALUES.tobytes()))
    assert {"a.number": 7, "a.text": "hällo", "a.list": ["one", "two"]} == file.facts
    assert 1 == len(file)
    assert (VALUES.reshape(2, BLOCK) == read(gguf(0, VALUES.tobytes()))).all()


def test_eight_bits_are_near_the_numbers():
    blocks = VALUES.reshape(2, BLOCK)
    scales = np.float16(np.abs(blocks).max(axis=1) / 127)
    content = b"".join(
        scale.tobytes() + np.round(block / np.float32(scale)).clip(-127, 127).astype("i1").tobytes()
        for scale, block in zip(scales, blocks, strict=True)
    )
    assert np.abs(blocks - read(gguf(8, content))).max() < 0.006


def test_four_bits_are_near_the_numbers():
    """The first sixteen values are in the low halves of the bytes, the others in the high ones."""
    content = b""
    for block in VALUES.reshape(2, BLOCK):
        scale, least = np.float16((block.max() - block.min()) / 15), np.float16(block.min())
        numbers = np.round((block - np.float32(least)) / np.float32(scale)).clip(0, 15).astype("u1")
        content += scale.tobytes() + least.tobytes() + (numbers[:16] | numbers[16:] << 4).tobytes()
    assert np.abs(VALUES.reshape(2, BLOCK) - read(gguf(3, content))).max() < 0.04


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"GGUF" + struct.pack("<I", 2), "not a GGUF file of version 3"),
        (b"PK\x03\x04", "not a GGUF file of version 3"),
        (gguf(0, b"")[:60], "ends in its head"),
    ],
)
def test_another_file_is_refused(content, said):
    with pytest.raises(ValueError, match=said):
        GgufFile(content)


def test_another_kind_of_tensor_is_refused():
    with pytest.raises(ValueError, match="kind 12 are not read"):
        read(gguf(12, VALUES.tobytes()))
