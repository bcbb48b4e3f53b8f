"""Probe files, whose age shows a worker's state: `alive` while its loops run, `ready` while it can compute."""

import tempfile
from contextlib import suppress
from pathlib import Path

from core.settings import Settings


class ProbeFiles:
    """The two files of one worker, `KIND-worker.alive` and `KIND-worker.ready`, in the folder of temporary files."""

    def __init__(self, settings: Settings, kind: str) -> None:
        folder = Path(settings.scratch_dir or tempfile.gettempdir())
        self.alive = folder / f"{kind}-worker.alive"
        self.ready = folder / f"{kind}-worker.ready"

    def touch(self, *, ready: bool) -> None:
        """Set the files' times to now; that of `ready` only for a worker that is ready.

        A folder that cannot be written to fails the probe, and not the leases that the same thread renews.
        """
        with suppress(OSError):
            self.alive.parent.mkdir(parents=True, exist_ok=True)
            self.alive.touch()
            if ready:
                self.ready.touch()

    def remove(self) -> None:
        """Remove both files, so that the worker does not look alive."""
        self.alive.unlink(missing_ok=True)
        self.ready.unlink(missing_ok=True)
