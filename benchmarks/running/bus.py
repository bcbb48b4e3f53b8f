"""Rates of weights on their way: restored against a plain copy, and read from a file against copied from a map."""

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import nn

from pipelines.memory.offload import Offload
from pipelines.memory.weight_loader import WeightLoader, convert_floats_to


def wake_and_copy(size: int, device: str, rounds: int) -> tuple[float, float]:
    """GB/s of waking a model of `size` bytes, and of copying as many in one piece: medians of `rounds` in turns."""
    weights = nn.ModuleList(nn.Linear(1024, 1024, dtype=torch.bfloat16, device=device) for _ in range(size // 2**21))
    offload = Offload([weights], device)
    offload.offload()
    block = torch.ones(size, dtype=torch.uint8, pin_memory=device != "cpu")
    woken, copied = [], []
    for _ in range(rounds):
        woken.append(_rate(offload.bytes, device, offload.restore))
        offload.offload()
        copied.append(
            _rate(size, device, lambda: torch.empty_like(block, device=device).copy_(block, non_blocking=True))
        )
    return statistics.median(woken), statistics.median(copied)


def read_and_map(size: int, device: str, rounds: int) -> tuple[float, float]:
    """GB/s from a file of `size` bytes in the page cache onto the device: through the intake, and through a map."""
    with tempfile.TemporaryDirectory(prefix="atelier-bench-") as temporary:
        file = Path(temporary) / "model.safetensors"
        save_file({f"{n}.weight": torch.ones(1024, 1024, dtype=torch.bfloat16) for n in range(size // 2**21)}, file)
        read, mapped = [], []
        for _ in range(rounds):
            read.append(_rate(size, device, lambda: _read(file, device)))
            mapped.append(_rate(size, device, lambda: [one.to(device, copy=True) for one in load_file(file).values()]))
    return statistics.median(read), statistics.median(mapped)


def _read(file: Path, device: str) -> nn.Module:
    loader = WeightLoader(device)
    tensors = loader.read([file], convert_floats_to(torch.bfloat16))
    module = nn.ModuleDict({name.replace(".", "-"): nn.Module() for name in tensors})
    for part, tensor in zip(module.values(), tensors.values(), strict=True):
        part.register_buffer("weight", tensor)
    return loader.to_device(module)


def _rate(size: int, device: str, work: Callable[[], object]) -> float:
    """GB/s."""
    began = time.perf_counter()
    work()
    if device != "cpu":
        torch.cuda.synchronize()
    return size / (time.perf_counter() - began) / 1e9
