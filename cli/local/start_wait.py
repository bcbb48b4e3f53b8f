"""Waits of a start, which ends when the command is asked to end."""

import threading
import time
from collections.abc import Callable

POLL_SECONDS = 0.02


class StartInterrupted(Exception):
    """A start whose command was asked to end."""


def wait_until(condition: Callable[[], bool], seconds: float, interrupted: threading.Event) -> bool:
    """Poll until `condition()`; return whether it came true within so many seconds.

    Raises `StartInterrupted` once `interrupted` is set.
    """
    deadline = time.monotonic() + seconds
    while not interrupted.is_set():
        if condition():
            return True
        if time.monotonic() > deadline:
            return False
        interrupted.wait(POLL_SECONDS)
    raise StartInterrupted
