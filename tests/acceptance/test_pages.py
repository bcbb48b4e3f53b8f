"""The lines of README and docs, pasted into a fresh shell beside a real `atelier up`, page by page."""

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from cli.local.address import Address, free_address
from tests.support.pages import MADE, MAGIC, PAGES, make_checkout, paste, read_blocks, save_blocks
from tests.support.paths import ROOT
from tests.support.ports import free_port
from tests.support.wait import until

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]

RUN = [page for page in PAGES if any(block.is_run for block in read_blocks(page))]
NAMES = [str(page.relative_to(ROOT)) for page in RUN]


class Running(msgspec.Struct, frozen=True):
    """An `atelier up`, and the environment of a shell that has only what a reader's has."""

    address: Address
    environment: dict[str, str]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, node: Path) -> Iterator[Running]:
    """`up` as the pages start it, but on a free port; with `--dev`, as docs/webhooks.md says."""
    home, folder = tmp_path_factory.mktemp("home"), make_checkout(tmp_path_factory.mktemp("up"))
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ATELIER_")}
    environment |= {"HOME": str(home), "COLUMNS": "200", "PATH": f"{node.parent}{os.pathsep}{environment['PATH']}"}
    address = free_address()
    output = folder / "up.output"
    with output.open("wb") as file:
        process = subprocess.Popen(
            [".venv/bin/atelier", "up", "--dev", "--port", str(address.port)],
            cwd=folder, env=environment, stdout=file, stderr=file, start_new_session=True,
        )  # fmt: skip
    try:
        until(lambda: "Atelier is ready" in output.read_text(), 120, "the service")
        yield Running(address, environment)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


@pytest.mark.parametrize("shell", ["bash", "zsh"])
@pytest.mark.parametrize("page", RUN, ids=NAMES)
def test_lines_work_when_pasted(running: Running, tmp_path: Path, page: Path, shell: str) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    folder = make_checkout(tmp_path)
    places = {"127.0.0.1:8000": f"127.0.0.1:{running.address.port}"}
    if "9000" in page.read_text():  # the receiver of docs/webhooks.md
        receiver = str(free_port())
        places |= {"127.0.0.1:9000": f"127.0.0.1:{receiver}", '"127.0.0.1", 9000': f'"127.0.0.1", {receiver}'}
    lines = save_blocks([block for block in read_blocks(page) if block.is_run], folder, places)
    status, said = paste(shell, lines, folder, running.environment)
    assert 0 == status, said
    made = {file.name: file for file in folder.iterdir() if file.suffix in MAGIC}
    assert MADE.get(str(page.relative_to(ROOT)), set()) == made.keys()
    for name, file in made.items():
        assert file.read_bytes().startswith(MAGIC[file.suffix]), name


def test_every_page_of_a_user_is_run() -> None:
    assert MADE.keys() <= set(NAMES)
