"""The choice of the device, and the reason why torch cannot use a GPU that is there.

`python -m pipelines.runtime.gpu_check cuda:0` prints the GPU and its driver, or the reason, and exits with 1.
"""

import logging
import os
import re
import sys
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import ModuleType

log = logging.getLogger(__name__)

LEAST_DRIVERS = {"12": 525, "13": 580}
"""Oldest branch of NVIDIA's driver for Linux, by the major version of CUDA that torch is built with.

https://docs.nvidia.com/deploy/cuda-compatibility/
"""
THE_CPU_INSTEAD = "To compute on the CPU, set ATELIER_DEVICE=cpu."

_GPU_NODES = ("/dev/nvidiactl", "/usr/lib/wsl/lib/libcuda.so.1")
"""Files that the driver of an NVIDIA GPU makes: on Linux, and under WSL, where every machine has /dev/dxg."""
_AMD_NODE = "/dev/kfd"
"""AMD's driver; integrated graphics have it too, so it counts only beside a torch that is built for ROCm."""
_DRIVER_VERSION = Path("/proc/driver/nvidia/version")
_NO_GPU = {"", "-1", "all", "none", "void"}
"""Values of the variables below that name no GPU; NVIDIA's images come with `all`."""
_DEVICE = re.compile(r"cuda(:\d+)?")


class DeviceUnusable(Exception):
    """Torch cannot use the device; the text says why, and what to do."""


def choose_device(wanted: str = "", environment: Mapping[str, str] = os.environ) -> str:
    """Return the device to compute on, "cpu" or "cuda:N": `wanted`, else a GPU where there is one, else the CPU.

    A GPU has multiplied a matrix and is torch's current device afterwards. Torch is imported only for a GPU. Only a
    torch that is built for the CPU has the CPU chosen although there is a GPU, which is logged. Raises
    `DeviceUnusable`.
    """
    found = find_gpu(environment)
    if wanted == "cpu" or not (wanted or found):
        return "cpu"
    if wanted and not _DEVICE.fullmatch(wanted):
        raise DeviceUnusable(f"ATELIER_DEVICE is {wanted!r}; give cpu, cuda, or cuda:N.")
    try:
        import torch
    except ImportError as error:
        raise DeviceUnusable(f"A GPU needs torch, which cannot be imported: {error}. {THE_CPU_INSTEAD}") from error
    if not (torch.version.cuda or torch.version.hip):
        if wanted:
            raise DeviceUnusable(f"torch {torch.__version__} is built for the CPU, not for {wanted}. {THE_CPU_INSTEAD}")
        log.warning("device: cpu, although there is a GPU; torch is built for the CPU gpu=%s", found)
        return "cpu"
    device = wanted if ":" in wanted else "cuda:0"
    _use(torch, device, found)
    return device


def find_gpu(environment: Mapping[str, str] = os.environ) -> str:
    """Return what shows that this machine or container has a GPU; empty where there is none, or it is hidden.

    A GPU that a variable names counts too: the container that has the variable was meant to have the GPU.
    """
    visible = environment.get("CUDA_VISIBLE_DEVICES")
    if visible is not None and visible.strip() in ("", "-1"):
        return ""
    for node in (*_GPU_NODES, *([_AMD_NODE] if "rocm" in torch_version() else [])):
        if Path(node).exists():
            return node
    for name in ("CUDA_VISIBLE_DEVICES", "NVIDIA_VISIBLE_DEVICES"):
        if environment.get(name, "").strip() not in _NO_GPU:
            return f"{name}={environment[name]}"
    return ""


def torch_version() -> str:
    """Return the version of the installed torch, without importing it; empty without one."""
    try:
        return version("torch")
    except PackageNotFoundError:
        return ""


def driver_version() -> str:
    """Return the version of NVIDIA's driver, `580.65.06`; empty where it does not show."""
    try:
        found = re.search(r"\b\d{3}\.\d+(\.\d+)?\b", _DRIVER_VERSION.read_text())
    except OSError:
        return ""
    return found[0] if found else ""


def multiplies(torch: ModuleType, device: str) -> bool:
    """Return whether a small multiplication on the device is correct."""
    ones = torch.ones(256, 256, device=device)
    return bool((ones @ ones == 256).all())


def _use(torch: ModuleType, device: str, found: str) -> None:
    """Make the GPU torch's current device; without that, a process on cuda:1 has a context on cuda:0 as well."""
    try:
        torch.cuda.init()
        torch.cuda.set_device(device)
        if not multiplies(torch, device):
            raise DeviceUnusable(f"{device} multiplies wrongly: the GPU is broken. {THE_CPU_INSTEAD}")
    except DeviceUnusable:
        raise
    except Exception as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0][:300]
        cuda, driver = torch.version.cuda or "", driver_version()
        raise DeviceUnusable(
            f"torch cannot use {device}: {_advice(reason, cuda, driver, found)} "
            f"(torch {torch.__version__}, CUDA {cuda or 'none'}, driver {driver or 'unknown'}; torch says: {reason}). "
            f"{THE_CPU_INSTEAD}"
        ) from error


def _advice(reason: str, cuda: str, driver: str, found: str) -> str:
    """Return what is probably wrong, and what to do about it."""
    least = LEAST_DRIVERS.get(cuda.partition(".")[0])
    if least and driver and int(driver.partition(".")[0]) < least:
        return f"its driver is older than r{least}, which CUDA {cuda} needs; update the driver of the machine"
    if not found.startswith("/"):
        return (
            "no GPU is in this machine or container; a pod needs the runtime class of NVIDIA's toolkit "
            "(runtimeClassName: nvidia), a container --gpus all, a machine the driver"
            + (f" r{least} or newer" if least else "")
        )
    if "no nvidia driver" in reason.lower():
        return (
            "libcuda.so.1 is missing; a container gets it from NVIDIA's toolkit "
            "(NVIDIA_DRIVER_CAPABILITIES=compute,utility)"
        )
    if "no kernel image" in reason.lower():
        return "this torch has no code for so old, or so new, a GPU; install a build that has"
    if "device ordinal" in reason.lower() or "device id" in reason.lower():
        return "there are fewer GPUs here"
    return "the GPU may be gone, or held by another process; `nvidia-smi` and `dmesg | grep -i xid` say more"


def main(device: str) -> int:
    """Check one device; returns the exit status."""
    try:
        choose_device(device)
    except DeviceUnusable as error:
        print(error)
        return 1
    import torch

    print(f"{torch.cuda.get_device_name(device)}, driver {driver_version() or 'unknown'}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
