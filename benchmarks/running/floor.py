"""Ratio 4's two sides: what a job has to compute, and how fast this device multiplies matrices."""

import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import torch
from torch.utils.flop_counter import FlopCounterMode

from core.settings import read_settings
from jobs.params.registry import PARAMS_OF
from pipelines.catalog.loader import load_catalog
from pipelines.runtime import device as runtime
from pipelines.runtime import torchaudio_stub
from pipelines.runtime.protocol import Inputs, RunContext
from pipelines.weights.lockfile import read_lock

torchaudio_stub.install()  # before diffusers is imported

from diffusers import ModelMixin  # noqa: E402


def flops(model: str, body: dict[str, Any], settings: dict[str, str], device: str) -> tuple[float, float]:
    """Return the floating-point operations of the denoiser in one job, and the seconds of a warm job of the pipeline.

    The operations are counted in the first forward pass and multiplied by the passes.
    """
    read = read_settings(settings)
    spec = load_catalog(read.catalog).get(model)
    pipeline: Any = runtime.load(spec, Path(read.weights_dir), read_lock(read.weights_lock), device)
    params = msgspec.convert(body, PARAMS_OF[spec.modality])
    context = RunContext(seed=1, progress=lambda fraction, stage: None, warn=lambda text: None)
    counted = _counted(_denoiser(pipeline), lambda: pipeline.run(params, Inputs(), context))
    return counted, statistics.median(_timed(lambda: pipeline.run(params, Inputs(), context), device) for _ in range(3))


def _denoiser(pipeline: Any) -> torch.nn.Module:
    """The one of its networks that takes the steps: diffusers' own, and no autoencoder."""
    ours = [one for one in pipeline.modules if isinstance(one, ModelMixin)]
    return next(one for one in ours if not type(one).__name__.startswith("Autoencoder"))


def _counted(module: torch.nn.Module, work: Callable[[], object]) -> float:
    """Operations of `module` while `work` runs: the first pass is counted, the others are taken to be like it."""
    counter, passes = FlopCounterMode(display=False), 0

    def before(*_: object) -> None:
        nonlocal passes
        passes += 1
        if passes == 1:
            counter.__enter__()

    def after(*_: object) -> None:
        if passes == 1:
            counter.__exit__(None, None, None)

    hooks = [module.register_forward_pre_hook(before), module.register_forward_hook(after)]
    try:
        work()
    finally:
        for hook in hooks:
            hook.remove()
    return float(counter.get_total_flops() * passes)


def matmul_rate(device: str, side: int) -> float:
    """Operations a second of square matrix multiplications, in the precision that models compute in here."""
    dtype = torch.float32 if device == "cpu" else torch.bfloat16
    one, other = (torch.randn(side, side, device=device, dtype=dtype) for _ in range(2))
    repeats = 20

    def multiply() -> None:
        for _ in range(repeats):
            one @ other

    multiply()
    return repeats * 2 * side**3 / min(_timed(multiply, device) for _ in range(5))


def _timed(work: Callable[[], object], device: str) -> float:
    if device != "cpu":
        torch.cuda.synchronize()
    began = time.perf_counter()
    work()
    if device != "cpu":
        torch.cuda.synchronize()
    return time.perf_counter() - began
