"""The leftovers of a killed PostgreSQL: processes that are about to end, and a postmaster.pid."""

import os
import sys
import threading
from pathlib import Path

from cli.embedded.server import ServerFailed
from cli.local.start_wait import wait_until

LEAVE_TIMEOUT = 30.0


def clear_leftovers(data: Path, timeout: float = LEAVE_TIMEOUT, interrupted: threading.Event | None = None) -> None:
    """Wait until no process works in `data`, then remove its stale postmaster.pid.

    PostgreSQL takes the lock file for valid when its pid is in use again, which is common in containers. A process of a
    cluster always has the cluster as its working directory, which identifies it. The caller holds the lock on the data
    directory, so no other command starts a server meanwhile. Raises `ServerFailed` when a process keeps running, and
    `StartInterrupted` once `interrupted` is set.
    """
    if sys.platform != "linux" or not data.exists():
        return
    if not wait_until(lambda: not _working_in(data), timeout, interrupted or threading.Event()):
        working = sorted(_working_in(data))
        raise ServerFailed(f"another PostgreSQL still runs on {data}: process {', '.join(map(str, working[:1]))}")
    (data / "postmaster.pid").unlink(missing_ok=True)


def _working_in(folder: Path) -> set[int]:
    path = os.path.realpath(folder)
    return {int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit() and _cwd(entry) == path}


def _cwd(process: Path) -> str:
    try:
        return os.readlink(process / "cwd")
    except OSError:  # it has ended, or belongs to another user
        return ""
