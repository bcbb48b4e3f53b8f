"""What NVIDIA's driver says about a process on a GPU, by its library NVML (https://docs.nvidia.com/deploy/nvml-api/).

NVML numbers processes as the machine does. In a container with process ids of its own, which is the usual kind, the
own process cannot be found, so nothing is said there.
"""

import ctypes
import os
from functools import cache
from pathlib import Path

_LIBRARY = "libnvidia-ml.so.1"
_OWN_NAMESPACE = Path("/proc/self/ns/pid")
_MACHINES_NAMESPACE = "pid:[4026531836]"
"""The machine's own process ids, PROC_PID_INIT_INO of Linux."""
_NOT_AVAILABLE = 2**64 - 1
_MOST_PROCESSES = 256


class _ProcessInfo(ctypes.Structure):
    """`nvmlProcessInfo_t` of version 2 and 3."""

    _fields_ = (
        ("pid", ctypes.c_uint),
        ("used_bytes", ctypes.c_ulonglong),
        ("gpu_instance", ctypes.c_uint),
        ("compute_instance", ctypes.c_uint),
    )


def process_bytes(uuid: str) -> int | None:
    """Return the bytes that this process has on the GPU `GPU-...`, by any library; None where unknown."""
    library = _library()
    if library is None:
        return None
    device, count = ctypes.c_void_p(), ctypes.c_uint(_MOST_PROCESSES)
    found = (_ProcessInfo * _MOST_PROCESSES)()
    if library.nvmlDeviceGetHandleByUUID(uuid.encode(), ctypes.byref(device)) != 0:
        return None
    if library.nvmlDeviceGetComputeRunningProcesses_v3(device, ctypes.byref(count), ctypes.byref(found)) != 0:
        return None
    own = [one.used_bytes for one in found[: count.value] if one.pid == os.getpid()]
    return None if not own or _NOT_AVAILABLE in own else sum(own)


@cache
def _library() -> ctypes.CDLL | None:
    """Return NVML, initialized; None where it is missing or could take another process for this one."""
    try:
        if os.readlink(_OWN_NAMESPACE) != _MACHINES_NAMESPACE:
            return None
        library = ctypes.CDLL(_LIBRARY)
        return library if library.nvmlInit_v2() == 0 else None
    except (OSError, AttributeError):
        return None
