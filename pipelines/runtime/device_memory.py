"""Memory of the device: what this process has of it."""

import os
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
