"""A stack's own scratch folder: in memory where there is enough, and emptied of what a killed stack left."""

import hashlib
import os
import shutil
from pathlib import Path

SHARED_MEMORY = Path("/dev/shm")
LEAST_BYTES = 2 * 2**30
"""Containers often have 64 MB of it, too little for a film."""


def fresh_scratch(home: Path) -> Path:
    """An empty folder that only this stack uses: two stacks on one machine share server names.

    The caller holds the lock on `home`, so whatever is in it is left over.
    """
    folder = home / "scratch"
    if SHARED_MEMORY.is_dir() and shutil.disk_usage(SHARED_MEMORY).free > LEAST_BYTES:
        in_memory = SHARED_MEMORY / f"atelier-up-{hashlib.sha256(os.fsencode(home)).hexdigest()[:16]}"
        if not in_memory.exists() or in_memory.stat().st_uid == os.geteuid():
            folder = in_memory
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    return folder
