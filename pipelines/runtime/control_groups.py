"""The limits of this process's control groups, of version 1 and 2."""

from collections.abc import Iterator
from pathlib import Path

_GROUPS = Path("/proc/self/cgroup")
_MOUNT = Path("/sys/fs/cgroup")


def read_limits(controller: str, version_2: str, version_1: str) -> Iterator[tuple[Path, str]]:
    """Yield the file and the text of the limit of every group that this process is in; any of them may be the lowest.

    `version_2` and `version_1` are the file's names, such as `memory.max` and `memory.limit_in_bytes`. A container may
    see the path that its host knows, beside a mount that shows only its own group: so the mount itself is read too, and
    groups that are not there have no limit.
    """
    for folder, group in _hierarchies(controller):
        name = version_2 if folder == _MOUNT else version_1
        for path in (group, *group.parents):
            file = folder / str(path).lstrip("/") / name
            try:
                yield file, file.read_text().strip()
            except OSError:
                continue


def _hierarchies(controller: str) -> Iterator[tuple[Path, Path]]:
    """Yield the mount of each hierarchy that may limit `controller`, and the path of this process's group in it."""
    try:
        lines = _GROUPS.read_text().splitlines()
    except OSError:
        lines = []
    for line in lines or ["0::/"]:
        _, controllers, path = line.split(":", 2)
        if not controllers:
            yield _MOUNT, Path(path)
        elif controller in controllers.split(","):
            yield _MOUNT / controller, Path(path)
