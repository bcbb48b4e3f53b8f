"""The memory file system of Linux, for files that live shortly."""

import shutil
from pathlib import Path

SHARED_MEMORY = Path("/dev/shm")
LEAST_FREE_BYTES = 2 * 2**30
"""Containers often have 64 MB of it, too little for a video."""


def roomy_shared_memory() -> Path | None:
    """Return the folder of shared memory, or None where it is missing or has less than 2 GiB free."""
    if SHARED_MEMORY.is_dir() and shutil.disk_usage(SHARED_MEMORY).free > LEAST_FREE_BYTES:
        return SHARED_MEMORY
    return None
