"""Status lines and progress bars: output that may be lost, and that neither ends nor holds up the work it tells of."""

import io
import os
import queue
import sys
import threading
from contextlib import suppress
from types import TracebackType
from typing import Self, TextIO, cast

from rich.console import Console

MOST_LINES = 1000
"""Lines that wait for an output which is held up, as that of a stopped terminal is; later ones are lost."""
FLUSH_SECONDS = 1.0


class StatusPrinter:
    """Prints lines from a thread of its own, in their order; its `with` block ends when they are written.

    No line waits for a reader and none raises: one that cannot be written is lost. The thread writes to the
    descriptors themselves, since a stream that it held would stop the end of the process.
    """

    def __init__(self) -> None:
        self._lines = queue.Queue[tuple[TextIO, str] | threading.Event](MOST_LINES)
        threading.Thread(target=self._write_lines, name="status", daemon=True).start()

    def print_status(self, text: str) -> None:
        """Print what the command does to standard error."""
        self._put(sys.stderr, f"atelier: {text}\n")

    def print_result(self, text: str) -> None:
        """Print what the user asked for to standard output."""
        self._put(sys.stdout, f"{text}\n")

    def flush(self, seconds: float = FLUSH_SECONDS) -> None:
        """Wait until the lines so far are written or lost, for so many seconds at most."""
        written = threading.Event()
        with suppress(queue.Full):
            self._lines.put_nowait(written)
            written.wait(seconds)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.flush()

    def _put(self, stream: TextIO | None, text: str) -> None:
        if stream is not None:  # as it is where the command was started with the descriptor closed
            with suppress(queue.Full):
                self._lines.put_nowait((stream, text))

    def _write_lines(self) -> None:
        while True:
            line = self._lines.get()
            if isinstance(line, threading.Event):
                line.set()
                continue
            stream, text = line
            with suppress(OSError, ValueError):
                left = text.encode(stream.encoding, "backslashreplace")
                while left:
                    left = left[os.write(stream.fileno(), left) :]


class _LossyStream:
    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> object:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write text; return its length in any case."""
        try:
            self._stream.write(text)
        except OSError as error:
            self._lose(error)
        return len(text)

    def flush(self) -> None:
        """Write what is buffered."""
        try:
            self._stream.flush()
        except OSError as error:
            self._lose(error)

    def _lose(self, error: OSError) -> None:
        """Have the rest of the buffer go nowhere, or the flush at the end of Python fail the command."""
        if isinstance(error, BrokenPipeError):
            with suppress(OSError), open(os.devnull, "wb") as nothing:
                os.dup2(nothing.fileno(), self._stream.fileno())


class _ClosedStream(io.TextIOBase):
    def write(self, text: str) -> int:
        """Lose text; return its length."""
        return len(text)


def lossy(stream: TextIO | None) -> TextIO:
    """Return a stream that loses what cannot be written; once its reader is gone, it writes to /dev/null.

    None is a standard stream whose descriptor was closed before the start.
    """
    return cast(TextIO, _ClosedStream() if stream is None else _LossyStream(stream))


def status_console(stream: TextIO | None = None) -> Console:
    """Return a console for progress bars on a stream, standard error by default."""
    return Console(file=lossy(stream or sys.stderr))


def print_line(text: str) -> None:
    """Print a line to standard output amid work that goes on where it is lost."""
    stream = lossy(sys.stdout)
    stream.write(f"{text}\n")
    stream.flush()
