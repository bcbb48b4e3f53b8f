"""Progress bars of bytes, for files that are fetched or hashed."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.filesize import decimal
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.table import Column

from cli.output.status import status_console


class ByteBars:
    """A bar for the total and one for each file in progress."""

    def __init__(self, progress: Progress, total: int | None) -> None:
        self._progress = progress
        self._total = progress.add_task("total", total=total)
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


@contextmanager
def byte_bars(total: int | None) -> Iterator[ByteBars]:
    """Show bars on standard error where it is a terminal, and nothing elsewhere."""
    console = status_console()
    columns = (
        TextColumn(
            "{task.description}", markup=False, table_column=Column(max_width=48, no_wrap=True, overflow="ellipsis")
        ),
        BarColumn(bar_width=16),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        yield ByteBars(progress, total)


def format_size(count: int) -> str:
    """Format bytes in powers of ten."""
    return decimal(count)
