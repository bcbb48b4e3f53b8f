"""The memory of this machine that this process may use, by its control groups of version 1 and 2."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

from pipelines.runtime.control_groups import read_limits

_MEMINFO = Path("/proc/meminfo")
_AVAILABLE = re.compile(r"^MemAvailable: +(\d+) kB$", re.MULTILINE)
_INACTIVE_FILE = re.compile(r"^(?:total_)?inactive_file (\d+)$", re.MULTILINE)
"""In memory.stat: bytes of files that the kernel gives up first."""


def host_memory() -> int:
    """Return the bytes of memory that this process may use: the machine's, or what its container or slice may take."""
    machine = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return min([machine, *_limits()])


def available_memory() -> int:
    """Return the bytes of memory that this process could allocate now, without those of files that were read."""
    found = _AVAILABLE.search(_MEMINFO.read_text())
    machine = int(found[1]) * 1024 if found else 0
    return min([machine, *_left()])


def _left() -> Iterator[int]:
    """Yield what each control group leaves of its limit."""
    for file, text in read_limits("memory", "memory.max", "memory.limit_in_bytes"):
        if text.isdigit():
            usage = "memory.current" if file.name == "memory.max" else "memory.usage_in_bytes"
            cached = _INACTIVE_FILE.search(file.with_name("memory.stat").read_text())
            yield int(text) - int(file.with_name(usage).read_text()) + (int(cached[1]) if cached else 0)


def _limits() -> Iterator[int]:
    for _, text in read_limits("memory", "memory.max", "memory.limit_in_bytes"):
        if text.isdigit():  # "max" is none
            yield int(text)
