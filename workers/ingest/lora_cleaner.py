"""The cleaner of LoRAs: a copy, byte by byte, of a safetensors file that holds a LoRA and nothing else.

Only the header is read, as the format has it (https://github.com/huggingface/safetensors#format): 8 bytes with the
length of a JSON object, which has the dtype, the shape and the place of each tensor in what follows. No code is in it.
"""

import math
import re
import shutil
import struct
from pathlib import Path
from typing import Any

import msgspec

from core.errors.inputs import InputUnreadable, UnsupportedMedia

MAX_HEADER = 16 * 2**20
"""Bytes of a header; a LoRA of a thousand layers has some hundred thousand."""
BYTES = {"F32": 4, "F16": 2, "BF16": 2}
"""Dtypes of LoRAs, and the bytes of a number."""
_LAYER = re.compile(r"(lora_A|lora_B|lora_down|lora_up|lora\.down|lora\.up)(\.default)?\.weight$")
_BESIDE = re.compile(r"(\.alpha|\.dora_scale|\.lora_magnitude_vector(\.default)?(\.weight)?)$")
_METADATA = "__metadata__"
_BROKEN = "This file is not whole, or its header is not that of safetensors; save it again."


class _Tensor(msgspec.Struct, frozen=True):
    dtype: str
    shape: list[int]
    data_offsets: tuple[int, int]


def clean_lora(source: Path, target: Path) -> None:
    """Check `source` and copy it to `target`. Raises `InputUnreadable` and `UnsupportedMedia`."""
    with source.open("rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        if length > MAX_HEADER:
            raise InputUnreadable(f"The header of this file has {length} bytes; at most {MAX_HEADER} are read.")
        header = file.read(length)
    data = source.stat().st_size - 8 - length
    try:
        entries = msgspec.json.decode(header, type=dict[str, Any])
        entries.pop(_METADATA, None)
        tensors = msgspec.convert(entries, dict[str, _Tensor])
    except msgspec.MsgspecError:
        raise InputUnreadable(_BROKEN) from None
    _check_places(tensors, data)
    others = [name for name in tensors if not _LAYER.search(name) and not _BESIDE.search(name)]
    if others or not tensors:
        what = f"has the tensor {others[0][:80]!r}, which is of no LoRA" if others else "has no tensors"
        raise UnsupportedMedia(f"This file {what}; send the LoRA alone, as its trainer saved it.")
    shutil.copyfile(source, target)


def _check_places(tensors: dict[str, _Tensor], data: int) -> None:
    """Raise `InputUnreadable` unless the tensors fill `data` bytes, one after the other and without gaps."""
    place = 0
    for tensor in sorted(tensors.values(), key=lambda one: one.data_offsets):
        start, end = tensor.data_offsets
        if tensor.dtype not in BYTES:
            advice = f"This LoRA has numbers of the type {tensor.dtype[:20]}; save it as {', '.join(BYTES)}."
            raise InputUnreadable(advice)
        size = math.prod(tensor.shape) * BYTES[tensor.dtype]
        if min(tensor.shape, default=1) < 0 or start != place or end - start != size:
            raise InputUnreadable(_BROKEN)
        place = end
    if place != data:
        raise InputUnreadable(_BROKEN)
