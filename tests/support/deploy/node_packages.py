"""Packages of npm for tests: those of a `package-lock.json`, which has the hash of each."""

import subprocess
from pathlib import Path

from tests.support.paths import CACHE as CACHES

FOLDER = Path(__file__).with_name("node")
LOCKED = ("package.json", "package-lock.json")
CACHE = CACHES / "npm"


class RegistryAway(Exception):
    """npm could not reach its registry."""


def install(node: Path, target: Path, source: Path = FOLDER) -> None:
    """Install the packages that are locked in `source` into `target`; what was downloaded before needs no network.

    Raises `RegistryAway`, and `AssertionError` for anything else that npm says.
    """
    for name in LOCKED:
        (target / name).write_bytes((source / name).read_bytes())
    npm = node.parent.parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    options = ["--prefer-offline", "--ignore-scripts", "--no-audit", "--no-fund", "--fetch-retries=0"]
    command = [str(node), str(npm), "ci", *options, "--cache", str(CACHE)]
    done = subprocess.run(command, cwd=target, capture_output=True, text=True, timeout=120, check=False)
    away = ("ENOTFOUND", "EAI_AGAIN", "ECONNREFUSED", "ECONNRESET", "ETIMEDOUT", "ENETUNREACH", "EHOSTUNREACH")
    if done.returncode and any(f"code {code}" in done.stderr for code in away):
        raise RegistryAway(done.stderr.strip().splitlines()[0])
    assert 0 == done.returncode, done.stderr
