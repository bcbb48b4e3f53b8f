"""Debian's PgBouncer, unpacked under .cache/: nothing is installed on the machine, and nothing starts as a service.

`python -m tests.support.servers.pgbouncer_install` fetches it where apt knows the package. Elsewhere it says that the
tests behind PgBouncer are skipped, and why, and ends with status 1.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from tests.support.paths import CACHE

PLACE = CACHE / "pgbouncer"
MISSING = "PgBouncer is not installed here (Debian: apt install pgbouncer)"
SYSTEM_FOLDERS = "/usr/sbin:/usr/local/sbin"
"""Where packages put it; the PATH of an account that is not root lacks these."""


def find_pgbouncer() -> Path | None:
    """Return the program: the machine's own, or the unpacked one."""
    found = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', os.defpath)}:{SYSTEM_FOLDERS}")
    if found:
        return Path(found)
    unpacked = PLACE / "usr" / "sbin" / "pgbouncer"
    return unpacked if unpacked.exists() else None


def library_path() -> str:
    """Return the folders of the libraries that were unpacked beside it."""
    return ":".join(str(folder) for folder in PLACE.glob("usr/lib/*") if folder.is_dir())


def install() -> str:
    """Fetch and unpack it if it is missing; returns why that did not work, or nothing."""
    if find_pgbouncer() is not None:
        return ""
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        return "this machine has no PgBouncer and no apt"
    packages = _missing_packages()
    if not packages and os.geteuid() == 0:
        subprocess.run(["apt-get", "update", "-qq"], check=False)
        packages = _missing_packages()
    if not packages:
        return "apt does not know the package pgbouncer"
    draft = PLACE.with_name("pgbouncer.new")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    apt = ["apt-get", "download", "-qq", "-o", "APT::Sandbox::User=root", *packages]
    if subprocess.run(apt, cwd=draft, check=False).returncode:
        return "apt could not download the package pgbouncer"
    for archive in draft.glob("*.deb"):
        subprocess.run(["dpkg-deb", "-x", archive, draft], check=True)
        archive.unlink()
    draft.rename(PLACE)
    return ""


def _missing_packages() -> list[str]:
    """Return the package and those of its dependencies that the machine lacks; nothing where apt does not know it."""
    apt = ["apt-get", "install", "--simulate", "-qq", "--no-install-recommends", "pgbouncer"]
    answer = subprocess.run(apt, capture_output=True, text=True, check=False)
    return re.findall(r"^Inst (\S+)", answer.stdout, re.MULTILINE)


def main() -> int:
    """Install it, or say in a sentence why not."""
    problem = install()
    if problem:
        print(f"The acceptance tests behind PgBouncer are skipped: {problem}.", file=sys.stderr)
    return 1 if problem else 0


if __name__ == "__main__":
    sys.exit(main())
