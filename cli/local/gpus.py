"""The NVIDIA GPUs of this machine, found without importing torch."""

import os
import shutil
import subprocess
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PROC = Path("/proc/driver/nvidia/gpus")
LIST_TIMEOUT = 20.0


def visible_gpus(environment: Mapping[str, str] = os.environ) -> list[str]:
    """Return a value of CUDA_VISIBLE_DEVICES for each GPU that torch could use; empty without one.

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
    try:
        return not version("torch").endswith("+cpu")
    except PackageNotFoundError:
        return False


def _of_nvidia_smi() -> list[str]:
    """Read UUIDs from lines such as `GPU 0: NVIDIA H200 (UUID: GPU-5c3e…)`."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return []
    try:
        listing = subprocess.run(
            [program, "-L"], capture_output=True, text=True, timeout=LIST_TIMEOUT, check=True
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return []
    lines = (line for line in listing.splitlines() if line.startswith("GPU "))
    return [line.rpartition("UUID: ")[2].rstrip(")") for line in lines if "UUID: " in line]


def _of_proc() -> list[str]:
    """Return the numbers of the driver's GPUs, for containers without nvidia-smi."""
    if not PROC.is_dir():
        return []
    return [str(number) for number in range(len(list(PROC.iterdir())))]
