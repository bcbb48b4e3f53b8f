"""The release before this one, with its own code: what runs while an upgrade is under way."""

import fcntl
import hashlib
import re
import subprocess
import sys
import tarfile
from collections.abc import Mapping
from importlib.metadata import distributions
from io import BytesIO
from pathlib import Path

import psycopg

from core.processes import spawn
from jobs.statements import api_keys
from tests.support.paths import CACHE, ROOT
from tests.support.service.service import Service, Spawn

COMMIT = "77743c6431956949f9fb3345226dfd35c29b8254"
"""The release that an upgrade to this code begins at: the last commit before the schema's version 0011.

The first migration after a release sets it to that release's commit: from then on that is what runs in production while
`atelier migrate` of the next release does its work.
"""
SCHEMA = "0010"
"""The newest version of the schema that it knows."""


class Unavailable(Exception):
    """Why that release cannot run here."""


def unpack(folder: Path) -> Path:
    """Write the code of that release to `folder`. Raises `Unavailable`."""
    archive = subprocess.run(["git", "archive", "--format=tar", COMMIT], cwd=ROOT, capture_output=True, check=False)
    if archive.returncode:
        raise Unavailable(f"git has no {COMMIT[:7]}: this is not a checkout, or one without its history")
    with tarfile.open(fileobj=BytesIO(archive.stdout)) as files:
        files.extractall(folder, filter="data")
    return folder


def libraries(root: Path) -> Path:
    """The folder of the libraries that are not installed here; installs them once. Raises `Unavailable`.

    Those that this release pins need not be here either: some are of extras that a checkout may lack.
    """
    here = {_canonical(found.name) for found in distributions()}
    gone = [line for name, line in _pinned(root / "constraints.txt").items() if name not in here]
    place = CACHE / f"release-{COMMIT[:12]}-{hashlib.sha256(' '.join(gone).encode()).hexdigest()[:12]}"
    CACHE.mkdir(exist_ok=True)
    with (CACHE / "release.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not place.exists():
            draft = place.with_name(f"{place.name}.new")
            pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(draft), *gone]
            if gone and subprocess.run(pip, stdout=sys.stderr, check=False).returncode:
                raise Unavailable(f"its libraries cannot be installed: {', '.join(gone)}")
            draft.mkdir(exist_ok=True)
            draft.rename(place)
    return place


def _pinned(file: Path) -> dict[str, str]:
    """The lines of a file of constraints by the canonical name of the package."""
    lines = (line.partition("#")[0].strip() for line in file.read_text().splitlines())
    return {_canonical(line.partition("==")[0]): line for line in lines if "==" in line}


def _canonical(name: str) -> str:
    """The name of a package as PyPI compares it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


class ReleaseBefore(Service):
    """A service whose processes run the code in `root`, with the libraries of this environment and those in `more`.

    Its database is at the schema of that code when it is made, so none of our statements is executed here.
    """

    def __init__(self, root: Path, more: Path, folder: Path, settings: dict[str, str]) -> None:
        self.root = root
        catalog = str(root / "tests" / "support" / "models.toml")
        super().__init__(folder, settings | {"ATELIER_CATALOG": catalog, "PYTHONPATH": f"{root}:{more}"})

    def command(self, *words: str) -> str:
        """Run `atelier …` of that release; returns what it prints."""
        argv = [sys.executable, "-m", "cli.main", *words]
        outcome = subprocess.run(argv, cwd=self.root, env=self.environment, capture_output=True, text=True, check=False)
        assert 0 == outcome.returncode, outcome.stderr
        return outcome.stdout.strip()

    def _starter(self, environment: Mapping[str, str]) -> Spawn:
        return spawn  # a server to fork from has imported this release

    def _incarnation(self, server_id: str) -> int:
        with psycopg.connect(self.settings.database_url) as connection:
            row = connection.execute("SELECT incarnation FROM servers WHERE server_id = %s", [server_id]).fetchone()
        return row[0] if row else 0

    def _make_key(self, name: str, scopes: list[str]) -> tuple[str, str]:
        self.command("migrate")
        rights = ["--admin"] if api_keys.ADMIN in scopes else []
        key = self.command("keys", "create", "--tenant", name, *rights, "--budget-usd", "100")
        with psycopg.connect(self.settings.database_url) as connection:
            ((tenant,),) = connection.execute("SELECT id FROM tenants WHERE name = %s", [name]).fetchall()
        return tenant, key
