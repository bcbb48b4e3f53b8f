"""The log, the environment and the readiness of embedded servers."""

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from cli.local.start_wait import wait_until
from core.processes import Process

LOG_LIMIT = 5_000_000


class ServerFailed(Exception):
    """An embedded server that did not start or cannot be used; the text ends with the end of its log."""


def open_log(path: Path) -> BinaryIO:
    """Open a log for appending; move a log of more than 5 MB to `path`.old first."""
    if path.exists() and path.stat().st_size > LOG_LIMIT:
        path.replace(path.with_name(path.name + ".old"))
    return path.open("ab")


def tail(path: Path, lines: int = 15) -> str:
    """Return the last lines of a log, indented."""
    try:
        text = path.read_text(errors="replace")
    except OSError:
        return ""
    return "".join(f"\n    {line}" for line in text.splitlines()[-lines:])


def await_ready(
    name: str,
    process: Process,
    ready: Callable[[], bool],
    log: Path,
    timeout: float,
    interrupted: threading.Event | None = None,
) -> None:
    """Return once `ready()`; raise `ServerFailed` when the process ends first or `timeout` seconds pass.

    Raises `StartInterrupted` once `interrupted` is set.
    """

    def is_decided() -> bool:
        return ready() or process.poll() is not None

    if not wait_until(is_decided, timeout, interrupted or threading.Event()):
        raise ServerFailed(f"{name} was not ready after {timeout:g} s:{tail(log)}")
    if process.poll() is not None:
        raise ServerFailed(f"{name} ended with status {process.returncode} while it started:{tail(log)}")


def environment() -> dict[str, str]:
    """Return the environment of a server, without our secrets and without variables that change it (PG*, LC_*)."""
    return {"PATH": os.environ.get("PATH", os.defpath), "TZ": "UTC", "LC_ALL": "C"}
