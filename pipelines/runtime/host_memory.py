"""The memory of this machine that this process may use, by its control groups of version 1 and 2."""

import os
from collections.abc import Iterator

from pipelines.runtime.control_groups import read_limits


def host_memory() -> int:
    """Return the bytes of memory that this process may use: the machine's, or what its container or slice may take."""
    machine = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return min([machine, *_limits()])


def _limits() -> Iterator[int]:
    for _, text in read_limits("memory", "memory.max", "memory.limit_in_bytes"):
        if text.isdigit():  # "max" is none
            yield int(text)
