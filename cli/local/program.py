"""The name of the running command."""

import shlex
import shutil
import sys
from pathlib import Path


def program() -> str:
    """Return the command as a shell on this machine finds it."""
    found = shutil.which("atelier")
    if found is not None and Path(found).resolve() == Path(sys.argv[0]).resolve():
        return "atelier"
    return shlex.quote(sys.argv[0])
