"""The scratch folder of a stack: in shared memory where there is enough of it."""

import hashlib
import os
import shutil
from pathlib import Path

from core.shared_memory import roomy_shared_memory


def fresh_scratch(data_directory: Path) -> Path:
    """Make an empty folder that only this stack uses: two stacks on one machine share server names.

    The caller holds the lock on `data_directory`, so a killed stack left all that is in the folder.
    """
    folder = data_directory / "scratch"
    shared_memory = roomy_shared_memory()
    if shared_memory is not None:
        in_memory = shared_memory / f"atelier-up-{hashlib.sha256(os.fsencode(data_directory)).hexdigest()[:16]}"
        if not in_memory.exists() or in_memory.stat().st_uid == os.geteuid():
            folder = in_memory
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    return folder
