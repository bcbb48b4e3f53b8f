"""Waiting for something that another process does, and for how long."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

POLL_SECONDS = 0.02


def until(
    condition: Callable[[], T], timeout: float = 10.0, what: str = "the condition", *, every: float = POLL_SECONDS
) -> T:
    """The first true value of `condition()`, asked every 20 ms; after `timeout` s an error that names `what`."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {timeout:g} s for {what}; last seen: {value!r}")
        time.sleep(every)


def seconds(act: Callable[[], object]) -> float:
    """How long it took to act."""
    started = time.monotonic()
    act()
    return time.monotonic() - started
