"""Progress of bytes, for files that are fetched or hashed: bars on a terminal, lines elsewhere."""

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.filesize import decimal
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TransferSpeedColumn,
)
from rich.table import Column

from cli.output.bar_times import RemainingTime
from cli.output.status import lossy, status_console

if TYPE_CHECKING:
    from pipelines.weights.fetch import TransferObserver

FIRST_SECONDS = 2.0
EVERY_SECONDS = 10.0
"""Time between two lines, after the first."""


class ByteBars:
    """A bar for the total, of unknown length for None or 0, and one for each file in progress."""

    def __init__(self, progress: Progress, total: int | None) -> None:
        self._progress = progress
        self._total = progress.add_task("total", total=total or None)
        self._files: dict[str, TaskID] = {}

    def begin(self, name: str, size: int) -> None:
        """Add the bar of a file of `size` bytes; 0 stands for an unknown size."""
        self._files[name] = self._progress.add_task(name, total=size or None)

    def advance(self, name: str, count: int) -> None:
        """Count more bytes of a file as done."""
        self._progress.advance(self._files[name], count)
        self._progress.advance(self._total, count)

    def end(self, name: str) -> None:
        """Remove the bar of a file."""
        self._progress.remove_task(self._files.pop(name))


class ByteLines:
    """A line about the total and the files in progress, every ten seconds, from whichever thread advances then."""

    def __init__(
        self, print_progress: Callable[[str], None], total: int | None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._print, self._clock, self._total = print_progress, clock, total
        self._began = clock()
        self._due = self._began + FIRST_SECONDS
        self._done = 0
        self._files: list[str] = []
        self._changing = threading.Lock()

    def begin(self, name: str, size: int) -> None:
        """Name a file from now on."""
        with self._changing:
            self._files.append(name)

    def advance(self, name: str, count: int) -> None:
        """Count more bytes of a file as done, and print a line if one is due."""
        with self._changing:
            self._done += count
            now = self._clock()
            if now < self._due:
                return
            self._due = now + EVERY_SECONDS
            line = self._line(now - self._began)
        self._print(line)

    def end(self, name: str) -> None:
        """Name a file no more."""
        with self._changing:
            self._files.remove(name)

    def _line(self, seconds: float) -> str:
        done = format_size(self._done)
        if self._total:
            done += f" of {format_size(self._total)} ({100 * self._done // self._total} %)"
        return f"{done} after {seconds:.0f} s, {format_size(round(self._done / seconds))}/s: {', '.join(self._files)}"


@contextmanager
def byte_bars(total: int | None) -> "Iterator[TransferObserver]":
    """Show bars on standard error where it is a terminal, and lines elsewhere."""
    console = status_console()
    if not console.is_terminal:
        yield ByteLines(print_progress, total)
        return
    columns = (
        TextColumn(
            "{task.description}", markup=False, table_column=Column(max_width=48, no_wrap=True, overflow="ellipsis")
        ),
        BarColumn(bar_width=16),
        DownloadColumn(),
        TransferSpeedColumn(),
        RemainingTime(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        yield ByteBars(progress, total)


def print_progress(text: str) -> None:
    """Print a line to standard error amid work that goes on where it is lost."""
    stream = lossy(sys.stderr)
    stream.write(f"{text}\n")
    stream.flush()


def format_size(count: int) -> str:
    """Format bytes in powers of ten."""
    return decimal(count)
