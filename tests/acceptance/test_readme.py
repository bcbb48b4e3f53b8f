"""The lines of the README, pasted into a shell beside a running `atelier up`."""

import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from cli.local.address import free_address
from tests.support.paths import ROOT
from tests.support.wait import until

pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]

SECTION = re.compile(r"^## Run it on one machine\n(.*?)^## ", re.DOTALL | re.MULTILINE)
BLOCK = re.compile(r"^```\n(.*?)^```", re.DOTALL | re.MULTILINE)
MAGIC = {"star.webp": b"RIFF", "mug.png": b"\x89PNG", "circle.webp": b"RIFF"}


def blocks() -> list[str]:
    """The blocks of lines of that section, but for the first, which starts the service."""
    found = SECTION.search((ROOT / "README.md").read_text())
    assert found is not None
    start, *others = BLOCK.findall(found[1])
    assert "make up" in start
    assert len(others) >= 2
    return others


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """A folder like a checkout's, and its environment, in which `up` runs as the README starts it, on a free port."""
    home, folder = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("checkout")
    (folder / "docs").symlink_to(ROOT / "docs")
    (folder / ".venv").symlink_to(Path(sys.executable).parents[1])
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ATELIER_")}
    environment |= {"HOME": str(home), "COLUMNS": "200"}
    address = free_address()
    output = folder / "up.output"
    with output.open("wb") as file:
        process = subprocess.Popen(
            [".venv/bin/atelier", "up", "--port", str(address.port)],
            cwd=folder, env=environment, stdout=file, stderr=file, start_new_session=True,
        )  # fmt: skip
    try:
        until(lambda: "Atelier is ready" in output.read_text(), 120, "the service")
        yield folder, environment, address.port
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_its_lines_work_when_pasted(checkout, shell):
    folder, environment, port = checkout
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    for block in blocks():
        lines = block.replace("127.0.0.1:8000", f"127.0.0.1:{port}")
        done = subprocess.run(
            [shell, "-ec", lines], cwd=folder, env=environment, capture_output=True, text=True, timeout=300, check=False
        )
        assert 0 == done.returncode, done.stdout + done.stderr
    for name, magic in MAGIC.items():
        assert (folder / name).read_bytes().startswith(magic), name
    assert b"ftyp" in (folder / "mug.mp4").read_bytes()[:16]
