"""Published tools that a test runs: each in an environment of its own, made once per version under .cache/."""

import fcntl
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from tests.support.paths import CACHE


def tool(requirement: str) -> Path:
    """The bin folder of the environment of a package of PyPI; the test is skipped where it cannot be installed."""
    place = CACHE / requirement.replace("==", "-")
    done = place / ".installed"
    CACHE.mkdir(exist_ok=True)
    with (CACHE / f"{place.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            venv.create(place, with_pip=True, clear=True)
            pip = [str(place / "bin" / "python"), "-m", "pip", "install", "--quiet", requirement]
            if subprocess.run(pip, check=False, stdout=sys.stderr).returncode:
                pytest.skip(f"{requirement} could not be installed from PyPI")
            done.touch()
    return place / "bin"
