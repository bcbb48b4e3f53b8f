"""Ratio 5: the restore of an offloaded model against a plain copy of as many bytes, and what fifty cycles leave behind.

A cycle loads the model and unloads it. The copy is of one block into memory that was not touched yet, as that of a
restore is; the two take turns, by the code that the engine uses, on modules of three sizes. On the CPU both sides are
the machine's own memory; on a GPU the same code copies from pinned memory (`benchmarks/gpu.py`).

Reading a file is measured in turns too: by the engine's reader, into pieces and onto the device, and by a map from
which every tensor is copied to the device, as the libraries do it. The file is in the page cache for both.

The cycles are a real engine's, by the orders that a supervisor gives: the model comes, and leaves altogether (no host
budget) or to the host (a host budget). The figure is the slope of the process's resident memory over the cycles after
the first `SETTLING`, while which libraries load themselves, and what is left between those and the last. At the end
the same process makes an image.
"""

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import nn

from benchmarks.report import Figure, Report
from benchmarks.running.catalog import settings_in
from benchmarks.running.engine import Bench, bench
from jobs.server_commands import Preload, Unload
from pipelines.memory.offload import Offload
from pipelines.memory.weight_loader import WeightLoader, convert_floats_to
from tests.support.checkpoints.tiny_checkpoints import save

TITLE = "Ratio 5: waking, loading and unloading"
SETTINGS = {"ATELIER_CPU_THREADS": "1", "ATELIER_DEVICE": "cpu", "ATELIER_LOG_LEVEL": "WARNING"}
SIZES = (64, 256, 1024)
"""Of a model's weights, in MB."""
CYCLES, SETTLING = 50, 10
JOB = {"prompt": "a red circle", "output_format": "png"}


def run(*, quick: bool = False) -> Report:
    """Measure on the CPU: the demo model, and SDXL's code with tiny weights."""
    figures = [*_wakes((8,) if quick else SIZES, rounds=3 if quick else 9)]
    cycles, settling = (6, 2) if quick else (CYCLES, SETTLING)
    with tempfile.TemporaryDirectory(prefix="atelier-bench-") as temporary:
        folder = Path(temporary)
        save("sdxl", folder / "tiny-sdxl")
        settings = SETTINGS | settings_in(folder)
        for model, side in (("shapes", 256), ("tiny-sdxl", 64)):
            for host, where in ((0, "dropped"), (2**30, "parked")):
                with bench(settings | {"ATELIER_HOST_BUDGET": str(host)}) as made:
                    found = cycle(made, model, "image", JOB | {"width": side, "height": side}, cycles)
                figures += leak(f"{model}, {where}", found, settling)
    return Report(name="residency", title=TITLE, figures=figures)


def cycle(made: Bench, model: str, modality: str, job: dict[str, Any], cycles: int) -> list[int]:
    """Bytes of the engine process after each of `cycles` of loading and unloading `model`; then it does `job`."""
    found = []
    made.make(model, modality, job)
    pid = made.engine.pid
    for _ in range(cycles):
        made.command(Unload())
        made.command(Preload(model=model))
        made.command(Unload())
        found.append(made.resident_memory())
    made.make(model, modality, job)
    assert pid == made.engine.pid, "the engine was restarted"
    return found


def leak(name: str, found: Sequence[int], settling: int) -> list[Figure]:
    """What grew from cycle to cycle, once the first `settling` are over."""
    kept = [size / 2**20 for size in found[settling:]]
    slope = statistics.linear_regression(range(len(kept)), kept).slope
    return [
        Figure(f"{name}: growth, slope over {len(kept)} cycles", slope, "MB/cycle", "≤ 1"),
        Figure(f"{name}: growth from cycle {settling + 1} to {len(found)}", kept[-1] - kept[0], "MB"),
    ]


def _wakes(sizes: Sequence[int], rounds: int) -> Iterator[Figure]:
    torch.set_num_threads(1)
    for size in sizes:
        wake, copy = wake_and_copy(size * 2**20, "cpu", rounds)
        yield Figure(f"{size} MB: wake rate / rate of a plain copy", wake / copy, "", "≥ 0.90")
        yield Figure(f"{size} MB: wake rate", wake, "GB/s")
        read, mapped = read_and_map(size * 2**20, "cpu", rounds)
        yield Figure(f"{size} MB: rate of reading into pieces / of copying from a map", read / mapped)
        yield Figure(f"{size} MB: rate of reading into pieces", read, "GB/s")


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
