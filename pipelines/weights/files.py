"""The files of one model's folder: listed without following links out of it, and hashed."""

import hashlib
import os
import stat
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

from core.errors.failures import WeightsNotLocked

PICKLES = (".bin", ".ckpt", ".pickle", ".pkl", ".pt", ".pth")
"""Formats that run code when they are read; refused even where the lock names them."""

Advance = Callable[[int], None]
"""Called with the number of further bytes done; a negative number takes bytes back. It may raise to stop the work."""

CHUNK = 1 << 20


def is_pickle(path: str) -> bool:
    """Return whether a file name means a pickle."""
    return path.lower().endswith(PICKLES)


def refuse_pickle(path: str) -> None:
    """Raise `WeightsNotLocked` for a file name that means a pickle."""
    if is_pickle(path):
        raise WeightsNotLocked(f"{path} is a pickle, which can run code when it is read; use safetensors.")


def weight_files(directory: Path, apart: Collection[str] = ()) -> Iterator[tuple[str, Path]]:
    """Yield every file below `directory` in order, as (path within it, file); nothing if it does not exist.

    The folders of it that are `apart` are left out.

    Raises `WeightsNotLocked` for files that must not be there: a pickle, a link that leads outside or to a folder, a
    dangling link, a device or a socket.
    """
    root = directory.resolve()
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if Path(folder) != root or name not in apart)
        links = [name for name in folders if (Path(folder) / name).is_symlink()]
        for name in sorted(names + links):
            file = Path(folder) / name
            path = file.relative_to(root).as_posix()
            refuse_pickle(path)
            if not file.resolve().is_relative_to(root):
                raise WeightsNotLocked(f"{path} is a link that leads outside; put the file itself there.")
            if not file.exists() or not stat.S_ISREG(file.stat().st_mode):
                raise WeightsNotLocked(f"{path} is not a regular file.")
            yield path, file


def git_blob_id(file: Path) -> str:
    """Return git's name of a file: the hexadecimal sha1 of `blob SIZE`, a null byte and the content.

    Source: https://git-scm.com/book/en/v2/Git-Internals-Git-Objects
    """
    digest = hashlib.sha1(b"blob %d\0" % file.stat().st_size, usedforsecurity=False)
    with file.open("rb") as stream:
        while chunk := stream.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def hash_file(file: Path, advance: Advance) -> str:
    """Return the hexadecimal sha256 of the file's present content; `advance` is called for every byte."""
    digest = hashlib.sha256()
    with file.open("rb") as stream:
        while chunk := stream.read(CHUNK):
            digest.update(chunk)
            advance(len(chunk))
    return digest.hexdigest()
