"""The command line itself: help, names, speed of help."""

import subprocess
import sys

import pytest
from click.testing import CliRunner

from cli.lazy import LazyGroup
from cli.main import COMMANDS, atelier


def commands(group=atelier, path=()):
    """Every command and group, as the words one types."""
    context = group.make_context("atelier", [], resilient_parsing=True)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        yield (*path, name), command
        if hasattr(command, "list_commands"):
            yield from commands(command, (*path, name))


ALL = dict(commands())


@pytest.mark.parametrize("words", ALL, ids=" ".join)
def test_every_command_explains_itself(words):
    outcome = CliRunner().invoke(atelier, [*words, "--help"])
    assert 0 == outcome.exit_code
    assert "Usage" in outcome.output
    assert ALL[words].help.strip().endswith(".")


@pytest.mark.parametrize("words", ALL, ids=" ".join)
def test_every_option_is_explained(words):
    undocumented = [p.name for p in ALL[words].params if p.param_type_name == "option" and not p.help]
    assert [] == undocumented


@pytest.mark.parametrize("words", ALL, ids=" ".join)
def test_every_command_is_documented(words, request):
    page = (request.config.rootpath / "docs" / "cli.md").read_text()
    assert f"`atelier {' '.join(words)}" in page


def test_version():
    outcome = CliRunner().invoke(atelier, ["--version"])
    assert outcome.output.startswith("atelier, version 0.")


def test_an_unknown_command_is_a_usage_error():
    outcome = CliRunner().invoke(atelier, ["nonsense"])
    assert 2 == outcome.exit_code
    assert "No such command 'nonsense'" in outcome.output


def test_a_command_is_imported_only_when_it_is_asked_for():
    script = "import sys, cli.main; print(*(name for name in sys.modules if name.startswith('cli.commands')))"
    outcome = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "" == outcome.stdout.strip()


def test_help_needs_neither_the_service_nor_its_libraries():
    heavy = {"celery", "httpx", "litestar", "psycopg", "redis", "sqlalchemy", "torch", "uvicorn"}
    script = f"""
import sys
from click.testing import CliRunner
from cli.main import atelier
assert CliRunner().invoke(atelier, ["--help"]).exit_code == 0
print(sorted({heavy!r} & set(sys.modules)))
"""
    outcome = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "[]" == outcome.stdout.strip()


def test_commands_are_listed_in_the_order_they_are_given():
    assert isinstance(atelier, LazyGroup)
    assert list(COMMANDS) == atelier.list_commands(None)
