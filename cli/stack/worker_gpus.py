"""The GPUs that the stack starts a worker for."""

import os
import threading
from collections.abc import Callable, Mapping

from cli.local.gpus import torch_has_cuda, try_gpus, visible_gpus
from pipelines.runtime.gpu_check import THE_CPU_INSTEAD, find_gpu, torch_version


class GpuUnusable(Exception):
    """Torch cannot use a GPU that is here, or that ATELIER_DEVICE names."""


def choose_gpus(
    print_status: Callable[[str], None],
    *,
    falls_back: bool,
    environment: Mapping[str, str] = os.environ,
    interrupted: threading.Event | None = None,
) -> list[str]:
    """Return a value of CUDA_VISIBLE_DEVICES for each GPU to compute on; empty for the CPU.

    They are those of this machine, or the one that ATELIER_DEVICE names, and each has multiplied a matrix. A torch that
    is built for the CPU has the CPU chosen, which is printed where there is a GPU. Raises `GpuUnusable`, or with
    `falls_back` prints its text and chooses the CPU; raises `StartInterrupted` once `interrupted` is set.
    """
    try:
        return _working(print_status, environment, interrupted)
    except GpuUnusable as error:
        if not falls_back:
            raise
        print_status(f"computing on the CPU, since {error}")
        return []


def _working(
    print_status: Callable[[str], None], environment: Mapping[str, str], interrupted: threading.Event | None
) -> list[str]:
    wanted, found = environment.get("ATELIER_DEVICE", ""), find_gpu(environment)
    if wanted == "cpu" or not (wanted or found):
        return []
    if not torch_has_cuda():
        if wanted:
            raise GpuUnusable(f"torch {torch_version()} is built for the CPU, not for {wanted}. {THE_CPU_INSTEAD}")
        print_status(f"computing on the CPU, since torch {torch_version()} is built for it, although there is a GPU")
        return []
    gpus = visible_gpus(environment) or ["0"]  # not listed, but there: torch has the reason
    number = wanted.partition(":")[2]
    if number:
        gpus = gpus[int(number) :][:1] or [number]
    for gpu, trial in zip(gpus, try_gpus(gpus, interrupted), strict=True):
        if not trial.works:
            raise GpuUnusable(f"GPU {gpu}: {trial.text}")
    return gpus
