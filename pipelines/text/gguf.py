"""GGUF files of one small model: their facts, and their tensors as numbers again.

The format is that of ggml (`docs/gguf.md` of its repository): a head of named values, a table of tensors, the tensors.
Read are version 3 and the three kinds of tensors that the demo model has: float32, Q4_1 (blocks of 32 values of 4 bits
with a scale and a least value) and Q8_0 (blocks of 32 values of 8 bits with a scale).
"""

import struct
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

BLOCK = 32
"""Values of a quantized block."""
_NUMBERS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_STRING, _ARRAY = 8, 9
_FLOAT32, _Q4_1, _Q8_0 = 0, 3, 8
_Q4_1_BLOCK = np.dtype([("scale", "<f2"), ("least", "<f2"), ("values", "u1", BLOCK // 2)])
_Q8_0_BLOCK = np.dtype([("scale", "<f2"), ("values", "i1", BLOCK)])


class StoredGguf(msgspec.Struct, frozen=True):
    """Where a tensor is in the file: its shape (rows first), its kind, and its first byte."""

    shape: tuple[int, ...]
    kind: int
    start: int


class GgufFile:
    """The content of a GGUF file: `facts` by their names; `tensors` yields float32 arrays. Raises `ValueError`."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._place = 0
        if self._take(4) != b"GGUF" or self._number("I") != 3:
            raise ValueError("this is not a GGUF file of version 3")
        tensors, facts = self._number("Q"), self._number("Q")
        self.facts: Mapping[str, Any] = {self._string(): self._value(self._number("I")) for _ in range(facts)}
        stored = {self._string(): self._stored() for _ in range(tensors)}
        alignment = int(self.facts.get("general.alignment", 32))
        begin = -(-self._place // alignment) * alignment
        self._stored_tensors = {
            name: msgspec.structs.replace(each, start=begin + each.start) for name, each in stored.items()
        }

    def __len__(self) -> int:
        return len(self._stored_tensors)

    def tensors(self) -> Iterator[tuple[str, NDArray[np.float32]]]:
        """Yield the name and the values of each tensor."""
        for name, stored in self._stored_tensors.items():
            yield name, self._values(stored).reshape(stored.shape)

    def _values(self, stored: StoredGguf) -> NDArray[np.float32]:
        count, start = int(np.prod(stored.shape)), stored.start
        if stored.kind == _FLOAT32:
            return np.frombuffer(self._content, "<f4", count, start).astype(np.float32)
        if stored.kind == _Q8_0:
            blocks = np.frombuffer(self._content, _Q8_0_BLOCK, count // BLOCK, start)
            return blocks["values"].astype(np.float32) * blocks["scale"].astype(np.float32)[:, None]
        if stored.kind == _Q4_1:
            blocks = np.frombuffer(self._content, _Q4_1_BLOCK, count // BLOCK, start)
            halves = np.concatenate([blocks["values"] & 15, blocks["values"] >> 4], axis=1).astype(np.float32)
            scale, least = (blocks[name].astype(np.float32)[:, None] for name in ("scale", "least"))
            return halves * scale + least
        raise ValueError(f"tensors of kind {stored.kind} are not read")

    def _stored(self) -> StoredGguf:
        sides = [self._number("Q") for _ in range(self._number("I"))]
        return StoredGguf(tuple(reversed(sides)), self._number("I"), self._number("Q"))

    def _value(self, kind: int) -> Any:
        if kind == _STRING:
            return self._string()
        if kind == _ARRAY:
            of, count = self._number("I"), self._number("Q")
            return [self._value(of) for _ in range(count)]
        return self._number(_NUMBERS[kind])

    def _string(self) -> str:
        return self._take(self._number("Q")).decode()

    def _number(self, kind: str) -> Any:
        (number,) = struct.unpack(f"<{kind}", self._take(struct.calcsize(kind)))
        return number

    def _take(self, size: int) -> bytes:
        taken = self._content[self._place : self._place + size]
        if len(taken) < size:
            raise ValueError("the file ends in its head")
        self._place += size
        return taken
