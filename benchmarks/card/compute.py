"""What a process that only computes finds out: ratio 4, kernels, peaks of memory, tokens a second, and the bus."""

import statistics
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import torch

from benchmarks.card.cases import Case
from benchmarks.card.kernels import kernel_seconds
from benchmarks.card.stage_meter import StageMeter
from benchmarks.report import Figure
from benchmarks.running.bus import read_and_map, wake_and_copy
from benchmarks.running.catalog import environment
from benchmarks.running.floor import counted_flops, denoiser, matmul_rate, seconds_of
from core.settings import read_settings
from jobs.params.registry import PARAMS_OF
from pipelines.catalog.loader import load_catalog
from pipelines.runtime import device as runtime
from pipelines.runtime.protocol import Inputs, RawOutput, RunContext
from pipelines.weights.lockfile import read_lock

WARM = 3
READ_AT_MOST = 2048
"""MB of the largest file that is written for reading it."""
BATCH, BATCH_SIDE = 4, 512
"""Images at once, and their sides in pixels."""
SAMPLES_PER_TOKEN = 960
"""24,000 samples a second and 25 tokens a second."""


def bus(device: str, sizes: tuple[int, ...]) -> Iterator[Figure]:
    """Ratio 5 without an engine, for weights of so many MB."""
    if device == "cpu":
        torch.set_num_threads(1)
    for size in sizes:
        wake, copy = wake_and_copy(size * 2**20, device, 5)
        yield Figure(f"{size} MB: 5, wake rate / host-to-device rate", wake / copy, "", "≥ 0.90")
        yield Figure(f"{size} MB: wake rate", wake, "GB/s")
        if size > READ_AT_MOST:
            continue
        read, mapped = read_and_map(size * 2**20, device, 3)
        yield Figure(f"{size} MB: 5, rate of reading into pieces / of copying from a map", read / mapped)
        yield Figure(f"{size} MB: rate of reading into pieces", read, "GB/s")


def compute(case: Case, settings: dict[str, str], device: str, is_tiny: bool) -> Iterator[Figure]:
    """All that one loaded pipeline tells."""
    with environment(settings):
        yield from _measure(case, device, is_tiny=is_tiny)


def _measure(case: Case, device: str, *, is_tiny: bool) -> Iterator[Figure]:
    name, read = case.model, read_settings()
    runtime.prepare(device, read.cpu_threads, read.compile_cache)
    spec = load_catalog(read.catalog).get(name)
    pipeline: Any = None

    def load() -> None:
        nonlocal pipeline
        pipeline = runtime.load(spec, Path(read.weights_dir), read_lock(read.weights_lock), device)

    def run(context: RunContext, **changes: int) -> RawOutput:
        raw: RawOutput = pipeline.run(msgspec.convert(case.body | changes, PARAMS_OF[case.modality]), Inputs(), context)
        return raw

    def job() -> None:
        run(RunContext(seed=1, progress=lambda fraction, stage: None, warn=lambda text: None))

    yield Figure(f"{name}: verifying and loading", seconds_of(load, device), "s")
    yield Figure(f"{name}: weights in memory", _weight_bytes(pipeline) / 1e9, "GB")
    yield Figure(f"{name}: first job", seconds_of(job, device), "s")
    warm = statistics.median(seconds_of(job, device) for _ in range(WARM))
    yield Figure(f"{name}: warm job", warm, "s")
    busy, count = kernel_seconds(job, device)
    yield Figure(f"{name}: 3, kernels' share of a warm job", busy / warm)
    yield Figure(f"{name}: kernels in a job", count)
    if spec.cuda_graphs:
        yield Figure(f"{name}: CUDA graphs in memory", pipeline.graph_bytes / 1e9, "GB")
    yield from _stages(case, run, device)
    if case.modality == "image":
        yield from _batched(case, run, device, is_tiny=is_tiny)
    if case.modality != "speech":
        yield from _floor(case, pipeline, job, warm, device, is_tiny=is_tiny)


def _stages(case: Case, run: Callable[[RunContext], RawOutput], device: str) -> Iterator[Figure]:
    """Seconds and peaks of memory by stage; of speech also tokens a second."""
    meter = StageMeter(device)
    raw = run(meter.context(seed=1))
    meter.end()
    for stage, seconds in meter.seconds.items():
        yield Figure(f"{case.model}: stage {stage}", seconds, "s")
        yield Figure(f"{case.model}: stage {stage}, peak beside the weights", meter.peaks[stage] / 1e9, "GB")
    if case.modality == "speech":
        tokens = len(raw.arrays["samples"]) / SAMPLES_PER_TOKEN
        sampling = meter.seconds["prepare"] + meter.seconds["step"]
        yield Figure(f"{case.model}: tokens a second, prompt included", tokens / sampling, "/s")
        yield Figure(
            f"{case.model}: seconds of speech a second of computing", tokens / 25 / sum(meter.seconds.values())
        )


def _batched(case: Case, run: Callable[..., RawOutput], device: str, *, is_tiny: bool) -> Iterator[Figure]:
    """Gain of several small images at once, as `batch` of the catalog has them made."""
    size = {} if is_tiny else {"width": BATCH_SIDE, "height": BATCH_SIDE}

    def seconds(at_once: int) -> float:
        def job() -> None:
            context = RunContext(seed=1, progress=lambda *_: None, warn=lambda text: None, batch=at_once)
            run(context, num_images=BATCH, **size)

        job()  # the first run of a shape is slower
        return seconds_of(job, device)

    one, all_at_once = seconds(1), seconds(BATCH)
    side = case.body["width"] if is_tiny else BATCH_SIDE
    yield Figure(f"{case.model}: {BATCH} images of {side}x{side}, one by one / at once", one / all_at_once)


def _floor(
    case: Case, pipeline: Any, job: Callable[[], None], warm: float, device: str, *, is_tiny: bool
) -> Iterator[Figure]:
    if hasattr(pipeline, "free_graphs"):
        pipeline.free_graphs()  # of a step that is launched as a graph nothing could be counted
    counted = counted_flops(denoiser(pipeline), job)
    rate = matmul_rate(device, 512 if is_tiny else 8192)
    yield Figure(f"{case.model}: 4, compute floor / end to end", counted / rate / warm, "", case.floor)
    yield Figure(f"{case.model}: counted in the denoiser", counted / 1e12, "TFLOP")
    yield Figure(f"{case.model}: matrix multiplications", rate / 1e12, "TFLOP/s")


def _weight_bytes(pipeline: Any) -> int:
    seen = {id(one): one for module in pipeline.modules for one in (*module.parameters(), *module.buffers())}
    return sum(one.numel() * one.element_size() for one in seen.values())
