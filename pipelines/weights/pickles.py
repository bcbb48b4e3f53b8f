"""Conversion of a pickle checkpoint to safetensors, once after its download, so that no load reads a pickle."""

import logging
import pickle
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipelines.weights.hub import FetchError

log = logging.getLogger(__name__)

one_at_a_time = threading.Lock()
"""A checkpoint can be as large as the memory."""


def convert(source: Path, target: Path) -> None:
    """Write the tensors of a pickle to `target`, in the same order of bytes every time.

    The pickle is read with `weights_only`, which builds tensors and plain containers and runs no code. Nested names are
    joined by dots, numbers become tensors without axes, `None` is omitted. Raises `FetchError` for a file that holds
    anything else.
    """
    import torch
    from safetensors.torch import save_file

    with one_at_a_time:
        try:
            value = torch.load(source, map_location="cpu", weights_only=True, mmap=_can_be_mapped(source))
        except (pickle.UnpicklingError, RuntimeError, EOFError, KeyError, ValueError) as error:
            log.debug("not read", exc_info=True)
            raise FetchError(
                f"refused: the pickle holds other objects than tensors, or is damaged ({type(error).__name__})"
            ) from None
        tensors: dict[str, torch.Tensor] = {}
        for name, tensor in _tensors(value, ()):
            if name in tensors:
                raise FetchError(f"refused: the pickle holds {name} twice")
            tensors[name] = tensor.contiguous().clone()
        if not tensors:
            raise FetchError("refused: the pickle holds no tensors")
        save_file(tensors, target)
        target.chmod(source.stat().st_mode)  # safetensors lets only its own account read


def _can_be_mapped(file: Path) -> bool:
    """Return whether the file has torch's format since 1.6, a zip archive."""
    with file.open("rb") as stream:
        return stream.read(4) == b"PK\x03\x04"


def _tensors(value: Any, path: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    import torch

    if isinstance(value, torch.Tensor):
        yield ".".join(path) or "tensor", value.detach()
    elif isinstance(value, bool | int | float):
        yield ".".join(path), torch.tensor(value, dtype=torch.float64 if isinstance(value, float) else None)
    elif isinstance(value, dict):
        for name, part in value.items():
            yield from _tensors(part, (*path, str(name)))
    elif isinstance(value, list | tuple):
        for number, part in enumerate(value):
            yield from _tensors(part, (*path, str(number)))
    elif value is not None:
        raise FetchError(f"refused: {'.'.join(path)} is {type(value).__name__}, not a tensor")
