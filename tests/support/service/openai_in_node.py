"""npm's `openai` in node, unmodified: `calls.mjs` makes its calls, with the URL and the key of a service."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.support.deploy.node_packages import RegistryAway, install
from tests.support.paths import PHOTO, ROOT

SOURCE = ROOT / "tests" / "support" / "deploy" / "node_openai"
SECONDS = 240


class OpenAIInNode:
    """The client, installed once; each run of it is in a folder of its own. Skips where npm has no network."""

    def __init__(self, node: Path, packages: Path) -> None:
        self._node = node
        self._packages = packages
        try:
            install(node, packages, SOURCE)
        except RegistryAway as error:
            pytest.skip(f"npm's openai cannot be installed: {error}")

    def start(self, name: str, url: str, key: str, folder: Path, picture: Path = PHOTO) -> subprocess.Popen[str]:
        """Start the calls of a name; files are left in `folder`."""
        (self._packages / "calls.mjs").write_bytes((SOURCE / "calls.mjs").read_bytes())
        program = str(self._packages / "calls.mjs")
        command = [str(self._node), program, name, f"{url}/openai/v1", key, str(picture)]
        pipe = subprocess.PIPE
        return subprocess.Popen(command, cwd=folder, stdin=pipe, stdout=pipe, stderr=pipe, text=True)

    def run(self, name: str, url: str, key: str, folder: Path, picture: Path = PHOTO) -> Any:
        """Make the calls of a name; what was answered."""
        return result(self.start(name, url, key, folder, picture))


def result(program: subprocess.Popen[str]) -> Any:
    """What a program printed at its end."""
    output, errors = program.communicate(timeout=SECONDS)
    assert 0 == program.returncode, errors
    return json.loads(output)
