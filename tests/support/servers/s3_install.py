"""The S3 server's own virtual environment, made once per version of its pins under .cache/."""

import fcntl
import hashlib
import subprocess
import sys
import venv
from pathlib import Path

from tests.support.paths import CACHE

REQUIREMENTS = Path(__file__).with_name("s3-requirements.txt")


def installed() -> Path:
    """The environment's bin folder; installs it first when it is missing (15 s, 80 MB). Safe to call at once."""
    digest = hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()[:12]
    place = CACHE / f"s3-{digest}"
    done = place / ".installed"
    CACHE.mkdir(exist_ok=True)
    with (CACHE / "s3.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            venv.create(place, with_pip=True, clear=True)
            pip = [str(place / "bin" / "python"), "-m", "pip", "install", "--quiet"]
            subprocess.run([*pip, "-r", str(REQUIREMENTS)], check=True, stdout=sys.stderr)
            done.touch()
    return place / "bin"
