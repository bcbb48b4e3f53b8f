"""What the engine knows of its device. torch is asked only where it is in use already."""

import os
import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import msgspec

_PACKAGES = ("torch", "diffusers", "transformers")


class Device(msgspec.Struct, frozen=True, kw_only=True):
    """A device by torch's name for it ("cpu", "cuda:0")."""

    name: str

    @property
    def memory_total(self) -> int:
        """Bytes of the device: VRAM, or the machine's RAM for the CPU."""
        if self.name == "cpu":
            return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        return int(_torch().cuda.mem_get_info(self.name)[1])

    def memory_used(self) -> int:
        """Bytes in use: of the whole GPU, or by this process for the CPU."""
        if self.name == "cpu":
            pages = int(Path("/proc/self/statm").read_text().split()[1])
            return pages * os.sysconf("SC_PAGE_SIZE")
        free, total = _torch().cuda.mem_get_info(self.name)
        return int(total - free)

    def free_caches(self) -> None:
        """Give memory that torch keeps for itself back to the GPU."""
        if self.name != "cpu" and "torch" in sys.modules:
            _torch().cuda.empty_cache()


def versions() -> dict[str, str]:
    """Versions of what makes the pictures."""
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _torch() -> Any:
    import torch

    return torch
