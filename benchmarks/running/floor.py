"""Ratio 4's two sides: what a job has to compute, and how fast this device multiplies matrices."""

import time
from collections.abc import Callable
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from pipelines.runtime import torchaudio_stub

torchaudio_stub.install()  # before diffusers is imported

from diffusers import ModelMixin  # noqa: E402


def denoiser(pipeline: Any) -> torch.nn.Module:
    """The one of its networks that takes the steps: diffusers' own, and no autoencoder."""
    ours = [one for one in pipeline.modules if isinstance(one, ModelMixin)]
    return next(one for one in ours if not type(one).__name__.startswith("Autoencoder"))


def counted_flops(module: torch.nn.Module, work: Callable[[], object]) -> float:
    """Floating-point operations of `module` while `work` runs.

    The first pass is counted, and the others are taken to be like it.
    """
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
    return repeats * 2 * side**3 / min(seconds_of(multiply, device) for _ in range(5))


def seconds_of(work: Callable[[], object], device: str) -> float:
    """Seconds of `work` until the device has done all of it."""
    if device != "cpu":
        torch.cuda.synchronize()
    began = time.perf_counter()
    work()
    if device != "cpu":
        torch.cuda.synchronize()
    return time.perf_counter() - began
