"""The files of `docs/one-box`: every setting and every command that they name exists."""

import shlex
from collections.abc import Iterator
from configparser import RawConfigParser
from pathlib import Path

import pytest
import yaml
from click import Command, Context, Group

from cli.main import atelier
from core.settings import Settings
from tests.support.pages import read_blocks
from tests.support.paths import DOCS, ROOT

FOLDER = DOCS / "one-box"
UNITS = sorted((FOLDER / "systemd").glob("*.service"))
SETTINGS = {f"ATELIER_{name.upper()}" for name in Settings.__struct_fields__}
COMPOSE = yaml.safe_load((FOLDER / "compose.yaml").read_text())


class Unit(RawConfigParser):
    """A unit file; of a key that comes twice the last one."""

    def __init__(self, file: Path) -> None:
        super().__init__(strict=False)
        self.optionxform = str  # type: ignore[assignment, method-assign]
        self.read_string(file.read_text(), str(file))


def check(words: list[str]) -> None:
    """Have Click read a command as if it were typed, without running it."""
    command: Command = atelier
    with Context(atelier, info_name="atelier") as context:
        while isinstance(command, Group):
            found = command.get_command(context, words[0])
            assert found is not None, words
            command, words = found, words[1:]
        command.make_context(command.name, words)


def settings_of(file: Path) -> Iterator[str]:
    lines = (line.removeprefix("Environment=") for line in file.read_text().splitlines())
    return (line.partition("=")[0].removesuffix("_FILE") for line in lines if line.startswith("ATELIER_"))


def test_the_lines_about_systemd_lead_to_files_from_any_folder() -> None:
    blocks = [block.code for block in read_blocks(FOLDER / "README.md") if "/etc/atelier" in block.code]
    named = [word for word in shlex.split("\n".join(blocks)) if "docs/" in word]
    assert 2 == len(named)
    for word in named:
        prefix, _, tail = word.partition("{")
        for end in tail.rstrip("}").split(","):
            assert word.startswith("/opt/atelier/"), word
            assert list(ROOT.glob((prefix + end).removeprefix("/opt/atelier/"))), word


def test_there_is_a_unit_for_every_part() -> None:
    assert ["atelier-api", "atelier-cpu", "atelier-gpu@", "atelier-migrate"] == [unit.stem for unit in UNITS]


@pytest.mark.parametrize("file", UNITS, ids=lambda file: file.name)
def test_a_unit_runs_a_command_there_is(file: Path) -> None:
    program, *words = shlex.split(Unit(file)["Service"]["ExecStart"])
    assert "/opt/atelier/.venv/bin/atelier" == program
    check(words)
    assert "/etc/atelier/atelier.env" == Unit(file)["Service"]["EnvironmentFile"]


@pytest.mark.parametrize("file", [*UNITS, FOLDER / "systemd" / "atelier.env"], ids=lambda file: file.name)
def test_settings_of_units_are_settings(file: Path) -> None:
    assert set(settings_of(file)) <= SETTINGS


def test_the_page_asks_for_what_a_file_cannot_know() -> None:
    page = (FOLDER / "README.md").read_text()
    example = [line for line in (FOLDER / "systemd" / "atelier.env").read_text().splitlines() if "example." in line]
    assert ["ATELIER_PUBLIC_URL"] == [line.partition("=")[0] for line in example]
    systemd, compose = page.split("## Docker Compose")
    assert "`ATELIER_PUBLIC_URL`" in systemd
    assert "`ATELIER_PUBLIC_URL=" in compose


def test_a_worker_is_given_longer_than_its_grace() -> None:
    seconds = int(Unit(FOLDER / "systemd" / "atelier-gpu@.service")["Service"]["TimeoutStopSec"])
    assert seconds > Settings().grace_seconds
    assert f"{seconds}s" == COMPOSE["services"]["gpu"]["stop_grace_period"]


def test_compose_uses_commands_and_settings_that_exist() -> None:
    ours = {
        name: part
        for name, part in COMPOSE["services"].items()
        if "ATELIER_DATABASE_URL" in part.get("environment", {})
    }
    assert {"migrate", "api", "cpu", "gpu"} == set(ours)
    for part in ours.values():
        check(part["command"])
        assert set(part["environment"]) <= SETTINGS
        assert part["read_only"]
        assert "10001:10001" == part["user"]
