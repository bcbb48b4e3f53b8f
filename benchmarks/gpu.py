"""Ratios 1 to 6 on one GPU: models of the published sizes with random weights, through the code that serves them.

`python -m benchmarks.gpu` wants a GPU, 60 GB of disk and 64 GB of memory; `--tiny` is the same script with the tests'
tiny checkpoints on whatever there is, to see that it works. One model after the other: its checkpoint is written and
locked, a bare loop computes and encodes inline (1, 2), the whole service does the same jobs (1, 2, 3), one process
counts FLOPs and measures matrix multiplications and the bus (4, 5), and a real engine starts cold and loads and unloads
(5, 6). Random weights compute as much as trained ones do; what they make is noise, which is the worst case for a PNG.
"""

import argparse
import gc
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import torch

from benchmarks.cold import seconds_of
from benchmarks.families.full_size import save
from benchmarks.families.timed import busy_fraction, take_log
from benchmarks.report import Figure, Report, machine
from benchmarks.residency import cycle, leak, read_and_map, wake_and_copy
from benchmarks.running.catalog import settings_in
from benchmarks.running.engine import bench
from benchmarks.running.floor import flops, matmul_rate
from benchmarks.running.loop import bare_loop
from benchmarks.running.serving import serve
from benchmarks.running.stack import running

TITLE = "Ratios 1 to 6 on one GPU"
MODELS = Path(__file__).parent / "families" / "gpu_models.toml"
CYCLES, SETTLING = 50, 10


class Case(msgspec.Struct, frozen=True):
    """A model and the job it is measured with; `count` jobs a turn. Targets are of ratios 2 and 4."""

    model: str
    modality: str
    body: dict[str, Any]
    count: int
    inline: str
    floor: str


PICTURE = {"prompt": "a red apple on a table", "width": 1024, "height": 1024, "output_format": "png"}
FILM = {"prompt": "a red apple rolls", "width": 896, "height": 512, "duration_seconds": 2.0}
CASES = (
    Case("z-image", "image", PICTURE, 20, "≥ 1.18", "≥ 0.72"),
    Case("sdxl", "image", PICTURE, 15, "≥ 1.18", "≥ 0.72"),
    Case("wan22", "video", FILM | {"num_inference_steps": 10}, 4, "≥ 1.5", ""),
)
SMALL = {"width": 64, "height": 64, "num_inference_steps": 2}


def run(*, quick: bool = False) -> Report:
    """Measure on the first GPU; `quick` means tiny. Without a GPU there are no figures, unless it is quick."""
    device = "cuda:0" if torch.cuda.is_available() else "cpu"
    figures = list[Figure]()
    if quick or device != "cpu":
        for case in CASES:
            print(f"-- {case.model}", flush=True)
            figures += measure(tiny(case) if quick else case, device, quick=quick)
    return Report(name="gpu", title=TITLE, figures=figures, machine=machine() if figures else "no GPU at hand")


def tiny(case: Case) -> Case:
    """The same, but small."""
    short = {"duration_seconds": 0.2} if case.modality == "video" else {}
    return msgspec.structs.replace(case, body=case.body | SMALL | short, count=2)


def measure(case: Case, device: str, *, quick: bool) -> Iterator[Figure]:
    """All ratios of one model."""
    with tempfile.TemporaryDirectory(prefix="atelier-bench-") as temporary:
        folder = Path(temporary)
        save(case.model, folder / case.model, tiny=quick)
        settings = {"ATELIER_DEVICE": device, "ATELIER_LOG_LEVEL": "WARNING"} | settings_in(folder, MODELS)
        yield from serving(case, settings, folder)
        yield from alone(case, settings, device, quick=quick)
        yield from engine(case, settings, quick=quick)
        shutil.rmtree(folder / case.model)


def serving(case: Case, settings: dict[str, str], folder: Path) -> Iterator[Figure]:
    """Ratios 1 to 3. The loop ends before the service begins: two copies of the model need not fit."""
    with bare_loop(settings) as loop:
        computing = loop(case.model, case.body, case.count, encode=False).total
        inline = loop(case.model, case.body, case.count, encode=True).total
    with running(settings) as service:
        serve(service.client, case.modality, case.body | {"model": case.model}, 1)
        take_log(folder)
        served = serve(service.client, case.modality, case.body | {"model": case.model}, case.count)
        busy = busy_fraction(take_log(folder))
    yield Figure(f"{case.model}: 1, service / bare loop, compute only", computing / served, "", "≥ 0.98")
    yield Figure(f"{case.model}: 2, service / loop that encodes inline", inline / served, "", case.inline)
    yield Figure(f"{case.model}: 3, engine-busy fraction", busy, "", "≥ 0.98")
    yield Figure(f"{case.model}: service, seconds a job", served / case.count, "s")


def alone(case: Case, settings: dict[str, str], device: str, *, quick: bool) -> Iterator[Figure]:
    """Ratio 4, and 5's wake rate, in this process."""
    counted, seconds = flops(case.model, case.body, settings, device)
    rate = matmul_rate(device, 512 if quick else 8192)
    yield Figure(f"{case.model}: 4, compute floor / end to end", counted / rate / seconds, "", case.floor)
    yield Figure(f"{case.model}: counted in the denoiser", counted / 1e12, "TFLOP")
    yield Figure(f"{case.model}: matrix multiplications", rate / 1e12, "TFLOP/s")
    gc.collect()
    if device != "cpu":
        torch.cuda.empty_cache()
    if case == CASES[0] or quick:
        for size in (8,) if quick else (256, 2048, 12288):
            wake, copy = wake_and_copy(size * 2**20, device, 5)
            yield Figure(f"{size} MB: 5, wake rate / host-to-device rate", wake / copy, "", "≥ 0.90")
            yield Figure(f"{size} MB: wake rate", wake, "GB/s")
            read, mapped = read_and_map(size * 2**20, device, 3)
            yield Figure(f"{size} MB: 5, rate of reading into pieces / of copying from a map", read / mapped)
            yield Figure(f"{size} MB: rate of reading into pieces", read, "GB/s")


def engine(case: Case, settings: dict[str, str], *, quick: bool) -> Iterator[Figure]:
    """Ratio 6, and 5's cycles: the model is parked in host memory and woken."""
    with bench(settings | {"ATELIER_HOST_BUDGET": str(2**36)}) as made:
        cold = seconds_of(made, case.model, case.modality, case.body)
        warm = seconds_of(made, case.model, case.modality, case.body)
        found = cycle(made, case.model, case.modality, case.body, 5 if quick else CYCLES)
    yield Figure(f"{case.model}: 6, cold process to first file / warm job", cold / warm)
    yield Figure(f"{case.model}: cold process to first file", cold, "s", "≤ 10")
    yield from leak(f"{case.model}: 5, parked", found, 1 if quick else SETTLING)


def main() -> None:
    """Print the table, and keep it when it is of a GPU at full size."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=__doc__)
    parser.add_argument("--tiny", action="store_true", help="tiny models, on the CPU without a GPU")
    quick = parser.parse_args().tiny
    report = run(quick=quick)
    print(report.machine)
    report.show()
    if not quick and report.figures:
        report.write()


if __name__ == "__main__":
    main()
