"""Files under names that the caller chose: replaced in one step, or written where they are."""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO


@contextmanager
def complete_file(target: Path) -> Iterator[BinaryIO]:
    """Open a file for writing that has its name only once the block has ended without an error.

    A symbolic link stays: the file that it leads to is replaced. A device or a pipe is written into. Raises `OSError`.
    """
    if not _is_replaced(target):
        with target.open("wb") as file:
            yield file
        return
    final = target.resolve()
    draft = _draft_of(final)
    try:
        with draft.open("wb") as file:
            yield file
        draft.replace(final)
    finally:
        with suppress(OSError):
            draft.unlink()


def check_writable(target: Path) -> None:
    """Raise `OSError` for a file that `complete_file` could not write; what is there is not opened."""
    if _is_replaced(target):
        draft = _draft_of(target.resolve())
        draft.touch()
        draft.unlink()
    elif target.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(target))
    elif not os.access(target, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(target))


def _is_replaced(target: Path) -> bool:
    """Return whether a regular file, or none, is at a path: a rename would put a file in the place of a device."""
    try:
        return stat.S_ISREG(target.stat().st_mode)
    except FileNotFoundError:
        return True


def _draft_of(file: Path) -> Path:
    return file.with_name(f".{file.name}.part")
