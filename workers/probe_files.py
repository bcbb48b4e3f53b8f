"""Files by whose age a probe knows a worker: `alive` while its loops go round, `ready` while it can compute."""

import tempfile
from contextlib import suppress
from pathlib import Path

from core.settings import Settings


class ProbeFiles:
    """The two of one worker, `KIND-worker.alive` and `KIND-worker.ready`, in the folder of temporary files."""

    def __init__(self, settings: Settings, kind: str) -> None:
        folder = Path(settings.scratch_dir or tempfile.gettempdir())
        self.alive = folder / f"{kind}-worker.alive"
        self.ready = folder / f"{kind}-worker.ready"

    def touch(self, *, ready: bool) -> None:
        """Give them the present time; one who is not ready any more leaves that file to grow old.

        So does a folder that can not be written to: it costs a probe, and not the leases that the same thread keeps.
        """
        with suppress(OSError):
            self.alive.parent.mkdir(parents=True, exist_ok=True)
            self.alive.touch()
            if ready:
                self.ready.touch()

    def remove(self) -> None:
        """Leave nothing that looks alive."""
        self.alive.unlink(missing_ok=True)
        self.ready.unlink(missing_ok=True)
