"""How a command ends early: Ctrl-C, or a time limit; each has an exit status of its own."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import rich_click as click

from cli.output.exit_codes import INTERRUPTED, TIMED_OUT
from core.signals import deferred

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class CommandInterrupted(click.ClickException):
    """Ctrl-C."""

    exit_code = INTERRUPTED


class TimedOut(click.ClickException):
    """A wait that took longer than the caller wanted."""

    exit_code = TIMED_OUT


class TimeLimit(BaseException):
    """The end of a time limit; no exception of the standard library, which an HTTP client would take for its own."""


LEAST_SECONDS = 0.001
"""The shortest limit; a timer of 0 would never end."""
REPEAT_SECONDS = 1.0
"""The pause until `TimeLimit` is raised again: Python ignores one that is raised in a finalizer."""


@contextmanager
def set_by_signals() -> Iterator[threading.Event]:
    """Yield an event that Ctrl-C, SIGTERM and SIGHUP set, for a command that runs until then. For the main thread.

    No exception is raised, so that the command ends where it looks at the event.
    """
    stop = threading.Event()
    set_stop = deferred(stop.set, "stop")
    before = {number: signal.signal(number, lambda *_: set_stop()) for number in ENDING if _is_heard(number)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _is_heard(number: int) -> bool:
    return signal.getsignal(number) is not signal.SIG_IGN  # as nohup sets it


@contextmanager
def time_limit(seconds: float | None) -> Iterator[None]:
    """Raise `TimeLimit` in the block after so many seconds; None stands for no limit. For the main thread."""
    if seconds is None or threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(number: int, frame: FrameType | None) -> None:
        raise TimeLimit

    handler = signal.signal(signal.SIGALRM, end)
    before = signal.setitimer(signal.ITIMER_REAL, max(seconds, LEAST_SECONDS), REPEAT_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, *before)
        signal.signal(signal.SIGALRM, handler)
