"""Progress bars of bytes, for files that are fetched or hashed."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


class Bars:
    """A bar for everything and one for each file that is under way."""

    def __init__(self, progress: "Progress", total: int | None) -> None:
        self._progress = progress
        self._all = progress.add_task("total", total=total)
        self._files: dict[str, TaskID] = {}

    def begin(self, name: str, size: int) -> None:
        """A file of `size` bytes is being looked at; 0: nobody knows."""
        self._files[name] = self._progress.add_task(name, total=size or None)

    def advance(self, name: str, count: int) -> None:
        """So many more of its bytes are done."""
        self._progress.advance(self._files[name], count)
        self._progress.advance(self._all, count)

    def end(self, name: str) -> None:
        """Its bar goes."""
        self._progress.remove_task(self._files.pop(name))


@contextmanager
def bars(total: int | None) -> Iterator[Bars]:
    """Bars on a terminal's standard error; nothing elsewhere."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn
    from rich.table import Column

    console = Console(stderr=True)
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
        yield Bars(progress, total)


def size_text(count: int) -> str:
    """Bytes as people say them, in powers of ten."""
    from rich.filesize import decimal

    return decimal(count)
