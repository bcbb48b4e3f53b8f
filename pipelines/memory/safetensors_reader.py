"""Tensors of safetensors files, read by large reads straight to their target, without mapping the file."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec
import torch
from safetensors import SafetensorError, safe_open

from core.errors.failures import ModelLoadFailed

READ_BYTES = 2**25
"""Bytes that one thread reads at a time."""

_DTYPES = {
    "BOOL": torch.bool,
    "U8": torch.uint8,
    "I8": torch.int8,
    "I16": torch.int16,
    "I32": torch.int32,
    "I64": torch.int64,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "F32": torch.float32,
    "F64": torch.float64,
    "F8_E4M3": torch.float8_e4m3fn,
    "F8_E5M2": torch.float8_e5m2,
}
"""By the format's names; tensors of other types are refused."""


class StoredTensor(msgspec.Struct, frozen=True):
    """A tensor in a file; its values follow each other from byte `start` on."""

    name: str
    file: Path
    start: int
    shape: tuple[int, ...]
    dtype: torch.dtype

    @property
    def numel(self) -> int:
        """Number of values."""
        return torch.Size(self.shape).numel()


def read_index(files: Iterable[Path]) -> Iterator[StoredTensor]:
    """Yield the tensors of these files in the order of their bytes.

    Raises `ModelLoadFailed` for a file that is not a complete safetensors file, and for an unknown tensor type.
    """
    for file in files:
        try:
            yield from _stored(file)
        except (OSError, SafetensorError) as error:
            raise _broken(file) from error
        except KeyError as error:
            raise ModelLoadFailed(f"{file.parent.name}/{file.name} has tensors of the unknown type {error}.") from error


def _stored(file: Path) -> list[StoredTensor]:
    """Return the tensors of a file; the library has checked that their bytes follow each other up to its end."""
    with safe_open(file, framework="pt") as opened:
        found = [(name, opened.get_slice(name)) for name in opened.offset_keys()]
        kinds = [(name, tuple(one.get_shape()), _DTYPES[one.get_dtype()]) for name, one in found]
    sizes = [torch.Size(shape).numel() * dtype.itemsize for _, shape, dtype in kinds]
    start, tensors = file.stat().st_size - sum(sizes), []
    for (name, shape, dtype), size in zip(kinds, sizes, strict=True):
        tensors.append(StoredTensor(name, file, start, shape, dtype))
        start += size
    return tensors


def plan_reads(one: StoredTensor) -> Iterator[tuple[int, int]]:
    """Yield the reads of a tensor, each as the number of its first value and the number of values."""
    step = READ_BYTES // one.dtype.itemsize
    for first in range(0, one.numel, step):
        yield first, min(step, one.numel - first)


def read_values(one: StoredTensor, first: int, target: torch.Tensor) -> None:
    """Fill a flat tensor with the values from `first` on, converted if its type differs.

    Raises `ModelLoadFailed` for a file that has become shorter.
    """
    values = target if target.dtype == one.dtype else torch.empty(target.shape, dtype=one.dtype)
    left = memoryview(values.view(torch.uint8).numpy())  # type: ignore[arg-type]
    with one.file.open("rb", buffering=0) as file:
        file.seek(one.start + first * one.dtype.itemsize)
        while left:
            count = file.readinto(left)
            if not count:
                raise _broken(one.file)
            left = left[count:]
    if values is not target:
        target.copy_(values)


def _broken(file: Path) -> ModelLoadFailed:
    return ModelLoadFailed(f"{file.parent.name}/{file.name} is missing or is not a complete safetensors file.")
