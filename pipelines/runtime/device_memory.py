"""Memory of the device: what this process has of it, what is free, and the most that was in use at once.

On the CPU only the first is known: the kernel decides about the rest.
"""

import os
import sys
from pathlib import Path

from pipelines.runtime import nvml


def memory_used(device: str) -> int:
    """Return the bytes that this process uses on `device`, without torch's cache; a neighbor's are not among them.

    On a GPU they are what torch allocated, and what other libraries and the context take where the driver says so
    (`pipelines.runtime.nvml`). On the CPU they are the process's resident memory.
    """
    if device == "cpu":
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    import torch

    allocated = torch.cuda.memory_allocated(device)
    whole = nvml.process_bytes(f"GPU-{torch.cuda.get_device_properties(device).uuid}")
    if whole is None:
        return allocated
    return max(allocated, whole - (torch.cuda.memory_reserved(device) - allocated))


def memory_free(device: str) -> int:
    """Return the bytes that this process could allocate now: what is free on the GPU, and torch's cache."""
    if device == "cpu":
        return sys.maxsize
    import torch

    free, _ = torch.cuda.mem_get_info(device)
    return free + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)


def reset_peak(device: str) -> int:
    """Begin a new peak, and return the bytes that torch has allocated on the GPU now."""
    if device == "cpu":
        return 0
    import torch

    torch.cuda.reset_peak_memory_stats(device)
    return torch.cuda.memory_allocated(device)


def read_peak(device: str) -> int:
    """Return the most bytes that torch had allocated on the GPU at once since `reset_peak`."""
    if device == "cpu":
        return 0
    import torch

    return torch.cuda.max_memory_allocated(device)
