"""The memory of this machine that this process may use, by its control groups of version 1 and 2."""

import os
from collections.abc import Iterator
from pathlib import Path

_GROUPS = Path("/proc/self/cgroup")
_MOUNT = Path("/sys/fs/cgroup")


def host_memory() -> int:
    """Return the bytes of memory that this process may use: the machine's, or what its container or slice may take."""
    machine = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return min([machine, *_limits()])


def _limits() -> Iterator[int]:
    """Yield the limit of every group that this process is in; any of them may be the lowest.

    A container may see the path that its host knows, beside a mount that shows only its own group: so the mount itself
    is read too, and groups that are not there have no limit.
    """
    for folder, group, name in _groups():
        for path in (group, *group.parents):
            try:
                yield int((folder / str(path).lstrip("/") / name).read_text())
            except (OSError, ValueError):  # no such file, or "max"
                continue


def _groups() -> Iterator[tuple[Path, Path, str]]:
    """Yield mount, path and name of the file, of each hierarchy that limits memory."""
    try:
        lines = _GROUPS.read_text().splitlines()
    except OSError:
        lines = []
    for line in lines or ["0::/"]:
        _, controllers, path = line.split(":", 2)
        if not controllers:
            yield _MOUNT, Path(path), "memory.max"
        elif "memory" in controllers.split(","):
            yield _MOUNT / "memory", Path(path), "memory.limit_in_bytes"
