"""Scratch folders: one per worker for arrays and files on their way to the store, in shared memory if that is large."""

import fcntl
import glob
import os
import shutil
import tempfile
from pathlib import Path

from core.settings import Settings
from core.shared_memory import roomy_shared_memory

LOCK = ".lock"


class Scratch:
    """A fresh folder that is locked for as long as this process lives."""

    def __init__(self, settings: Settings) -> None:
        root = _root(settings)
        root.mkdir(parents=True, exist_ok=True)
        self._prefix = f"atelier-{settings.server_id}-".replace("/", "_")
        self.path = Path(tempfile.mkdtemp(prefix=self._prefix, dir=root))
        self._lock = _lock(self.path)

    def folder(self, ticket: str) -> Path:
        """Return the folder of one attempt at a job; its first writer creates it."""
        return self.path / ticket

    def remove_leftovers(self) -> None:
        """Remove folders of this worker's name that no living process has locked: a `kill -9` leaves them."""
        for folder in self.path.parent.glob(f"{glob.escape(self._prefix)}????????"):
            lock = None if folder == self.path else _lock(folder)
            if lock is not None:
                shutil.rmtree(folder, ignore_errors=True)
                os.close(lock)

    def remove(self) -> None:
        """Remove the folder and everything in it."""
        shutil.rmtree(self.path, ignore_errors=True)
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def _lock(folder: Path) -> int | None:
    """Lock the folder and return the lock's descriptor; None when another process holds it or the folder is gone."""
    try:
        lock = os.open(folder / LOCK, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    except OSError:
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        return None
    return lock


def _root(settings: Settings) -> Path:
    if settings.scratch_dir:
        return Path(settings.scratch_dir)
    return roomy_shared_memory() or Path(tempfile.gettempdir())
