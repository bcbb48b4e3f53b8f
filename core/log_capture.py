"""What others write in the place of log lines: texts printed by libraries, tracebacks, the output of child processes.

Where logs are JSON, each of their lines becomes an object, too. Raw stays only what the interpreter itself writes when
it crashes, in a process that has no parent of this service.
"""

import io
import logging
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Any

import msgspec

from core.settings import read_log_format

log = logging.getLogger(__name__)

PRINTED = "printed"
"""The logger of lines that were printed."""
LONGEST_LINE = 65_536
"""Bytes of a child's line, and characters of a printed one; what is longer becomes several."""


class LoggedStream(io.TextIOBase):
    """A standard stream whose lines are logged; a progress bar that returns to its beginning makes lines, too."""

    def __init__(self, fileno: int) -> None:
        self._fileno = fileno
        self._rest = ""
        self._splitting = threading.Lock()
        self._thread = threading.local()

    def write(self, text: str) -> int:
        """Log the lines that are complete; return the length of the text."""
        if getattr(self._thread, "is_logging", False):  # a handler that fails prints that
            return len(text)
        self._thread.is_logging = True
        try:
            # Logged without the lock: a handler that fails in another thread waits for it with its own lock taken.
            for line in filter(None, map(str.rstrip, self._complete_lines(text))):
                logging.getLogger(PRINTED).info("%s", line)
        finally:
            self._thread.is_logging = False
        return len(text)

    def _complete_lines(self, text: str) -> list[str]:
        with self._splitting:
            *lines, self._rest = (self._rest + text.replace("\r", "\n")).split("\n")
            if len(self._rest) > LONGEST_LINE:
                lines.append(self._rest)
                self._rest = ""
            return lines

    def fileno(self) -> int:
        """Return the descriptor of the stream in whose place this is."""
        return self._fileno

    def writable(self) -> bool:
        """Return True."""
        return True


def capture_prints() -> None:
    """Have this process log what is printed, and the exceptions that end it or one of its threads."""
    logging.getLogger(PRINTED).setLevel(logging.INFO)  # as text they would be there at any level, too
    sys.stdout, sys.stderr = LoggedStream(1), LoggedStream(2)
    sys.excepthook = _log_uncaught
    threading.excepthook = _log_uncaught_of_thread


@contextmanager
def child_output(process: str, formatter: logging.Formatter) -> Iterator[int | None]:
    """Yield what a child gets as its standard output and error: None, this process's own, where logs are text.

    Else a pipe, whose lines a thread writes to this process's error stream: objects as they are, others in `formatter`.
    """
    if read_log_format() != "json":
        yield None
        return
    theirs, ours = os.pipe()
    threading.Thread(target=_copy_lines, args=(theirs, formatter), name=f"output of {process}", daemon=True).start()
    try:
        yield ours
    finally:
        os.close(ours)


def as_object(line: bytes, formatter: logging.Formatter) -> bytes:
    """Return a line as it is where it is a JSON object, else as the message of one."""
    try:
        msgspec.json.decode(line, type=dict[str, Any])
    except msgspec.DecodeError:
        text = line.decode(errors="backslashreplace")
        return formatter.format(logging.LogRecord(PRINTED, logging.INFO, "", 0, "%s", (text,), None)).encode()
    return line


def _copy_lines(descriptor: int, formatter: logging.Formatter) -> None:
    with open(descriptor, "rb") as output:
        while text := output.readline(LONGEST_LINE):
            for line in filter(None, map(bytes.strip, text.split(b"\r"))):
                with suppress(OSError):  # a disk that is full may have room again, and the child must not wait
                    os.write(2, as_object(line, formatter) + b"\n")


def _log_uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if not issubclass(kind, KeyboardInterrupt):
        log.critical("uncaught: %s", kind.__name__, exc_info=(kind, error, trace))


def _log_uncaught_of_thread(thread: threading.ExceptHookArgs) -> None:
    if thread.exc_value is not None and not issubclass(thread.exc_type, SystemExit):
        log.critical(
            "uncaught: %s in thread %s",
            thread.exc_type.__name__,
            thread.thread.name if thread.thread else "?",
            exc_info=(thread.exc_type, thread.exc_value, thread.exc_traceback),
        )
