"""The NVIDIA GPUs of this machine, found and tried without importing torch here."""

import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from cli.local.start_wait import POLL_SECONDS, wait_until
from core.processes import Process, await_killed
from pipelines.runtime.gpu_check import torch_version

PROC = Path("/proc/driver/nvidia/gpus")
LIST_TIMEOUT = 20.0
TRY_TIMEOUT = 120.0
"""A fresh process imports torch, loads CUDA's libraries and multiplies: seconds, if nothing is wrong."""


class GpuTrial(msgspec.Struct, frozen=True):
    """What came of trying a GPU: whether it works, and its name and driver, or the reason why not."""

    works: bool
    text: str


def visible_gpus(environment: Mapping[str, str] = os.environ) -> list[str]:
    """Return a value of CUDA_VISIBLE_DEVICES for each GPU, or MIG slice, that torch could use; empty without one.

    A CUDA_VISIBLE_DEVICES that is already set limits them; a torch built for the CPU finds none.
    """
    if not torch_has_cuda():
        return []
    limited = environment.get("CUDA_VISIBLE_DEVICES")
    if limited is not None:
        return [name.strip() for name in limited.split(",") if name.strip() and name.strip() != "-1"]
    return _of_nvidia_smi() or _of_proc()


def torch_has_cuda() -> bool:
    """Say whether the installed torch is a build for CUDA, by its version."""
    return torch_version() != "" and not torch_version().endswith("+cpu")


def try_gpus(gpus: Sequence[str], interrupted: threading.Event | None = None) -> list[GpuTrial]:
    """Have torch multiply a matrix on each GPU that is named, all at once, each in a process of its own.

    Raises `StartInterrupted` once `interrupted` is set.
    """
    tries = [_start_trial(gpu) for gpu in gpus]
    try:
        return [_finish_trial(process, interrupted or threading.Event()) for process in tries]
    finally:
        for process in tries:
            process.kill()


def _start_trial(gpu: str) -> Process:
    return subprocess.Popen(
        [sys.executable, "-m", "pipelines.runtime.gpu_check", "cuda:0"],
        env={**os.environ, "CUDA_VISIBLE_DEVICES": gpu},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def _finish_trial(process: Process, interrupted: threading.Event) -> GpuTrial:
    output: list[tuple[bytes, bytes]] = []

    def has_ended() -> bool:
        with suppress(subprocess.TimeoutExpired):  # it keeps what was read so far
            output.append(process.communicate(timeout=POLL_SECONDS))
        return bool(output)

    if not wait_until(has_ended, TRY_TIMEOUT, interrupted):
        process.kill()
        await_killed(process)
        return GpuTrial(False, f"it did not answer within {TRY_TIMEOUT:.0f} s; look at `nvidia-smi` and `dmesg`")
    out, errors = output[0]
    said = out.decode(errors="replace").strip() or errors.decode(errors="replace").strip()
    return GpuTrial(process.returncode == 0, (said or f"exit status {process.returncode}").splitlines()[-1])


def _of_nvidia_smi() -> list[str]:
    """Read UUIDs from lines such as `GPU 0: NVIDIA H200 (UUID: GPU-5c3e…)`.

    Below a GPU that is cut into MIG slices are lines such as `  MIG 3g.71gb  Device  0: (UUID: MIG-2a1f…)`; then these
    are meant, since the GPU's own UUID gives its first slice.
    """
    program = shutil.which("nvidia-smi")
    if program is None:
        return []
    try:
        listing = subprocess.run(
            [program, "-L"], capture_output=True, text=True, timeout=LIST_TIMEOUT, check=True
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return []
    found = re.findall(r"^(GPU|\s+MIG)\s.*\(UUID: (\S+)\)", listing, flags=re.MULTILINE)
    kinds = [kind.strip() for kind, _ in found] + ["GPU"]
    return [
        uuid
        for (_, uuid), kind, following in zip(found, kinds, kinds[1:], strict=False)
        if kind == "MIG" or following == "GPU"
    ]


def _of_proc() -> list[str]:
    """Return the numbers of the driver's GPUs, for containers without nvidia-smi."""
    if not PROC.is_dir():
        return []
    return [str(number) for number in range(len(list(PROC.iterdir())))]
