"""SHA256SUMS of a release, as `sha256sum --check` reads them, and a signature over them."""

import hashlib
import subprocess
from pathlib import Path

from scripts.release.version import Refused

NAME = "SHA256SUMS"
NAMESPACE = "atelier-release"
"""What a signature is for: ssh-keygen refuses one that was made for something else."""


def write(folder: Path) -> Path:
    """Write the sha256 of every file in `folder`, by name."""
    lines = [f"{_sha256(path)}  {path.name}\n" for path in sorted(folder.iterdir()) if path.is_file()]
    sums = folder / NAME
    sums.write_text("".join(lines))
    return sums


def sign(sums: Path, key: Path) -> Path:
    """Sign with an SSH key, which `ssh-keygen` or its agent holds: SHA256SUMS.sig."""
    command = ["ssh-keygen", "-q", "-Y", "sign", "-f", str(key), "-n", NAMESPACE, str(sums)]
    signature = sums.with_suffix(".sig")
    signature.unlink(missing_ok=True)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Refused(f"SHA256SUMS could not be signed: {done.stderr.strip()}")
    return signature


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
