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

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

import torch

from benchmarks.report import Figure, Report
from benchmarks.running.bus import read_and_map, wake_and_copy
from benchmarks.running.catalog import settings_in
from benchmarks.running.cycles import cycle, leak
from benchmarks.running.engine import bench
from pipelines.runtime import torchaudio_stub

torchaudio_stub.install()  # before diffusers is imported

from tests.support.checkpoints.tiny_checkpoints import save  # noqa: E402

TITLE = "Ratio 5: waking, loading and unloading"
SETTINGS = {"ATELIER_CPU_THREADS": "1", "ATELIER_DEVICE": "cpu", "ATELIER_LOG_LEVEL": "WARNING"}
MODES: tuple[tuple[int, str, Literal["disk", "host"]], ...] = ((0, "dropped", "disk"), (2**30, "parked", "host"))
"""Bytes of the host budget, what becomes of a model that leaves, and where it is then."""
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
            for host, kind, where in MODES:
                with bench(settings | {"ATELIER_HOST_BUDGET": str(host)}) as made:
                    found = cycle(made, model, "image", JOB | {"width": side, "height": side}, cycles, where=where)
                figures += leak(f"{model}, {kind}", found.resident, settling)
    return Report(name="residency", title=TITLE, figures=figures)


def _wakes(sizes: Sequence[int], rounds: int) -> Iterator[Figure]:
    torch.set_num_threads(1)
    for size in sizes:
        wake, copy = wake_and_copy(size * 2**20, "cpu", rounds)
        yield Figure(f"{size} MB: wake rate / rate of a plain copy", wake / copy, "", "≥ 0.90")
        yield Figure(f"{size} MB: wake rate", wake, "GB/s")
        read, mapped = read_and_map(size * 2**20, "cpu", rounds)
        yield Figure(f"{size} MB: rate of reading into pieces / of copying from a map", read / mapped)
        yield Figure(f"{size} MB: rate of reading into pieces", read, "GB/s")
