"""The command line itself: help, names, speed of help."""

import re
import shlex
import subprocess
import sys
from inspect import cleandoc

import click
import pytest
from click.testing import CliRunner

from cli.examples import EXAMPLES
from cli.lazy import LazyCommand, LazyGroup
from cli.main import COMMANDS, atelier


def commands(group=atelier, path=()):
    """Yield every command and group with the words that run it."""
    context = group.make_context("atelier", [], resilient_parsing=True)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        command = command.load() if isinstance(command, LazyCommand) else command
        yield (*path, name), command
        if hasattr(command, "list_commands"):
            yield from commands(command, (*path, name))


ALL = dict(commands())


@pytest.mark.parametrize("words", ALL, ids=" ".join)
def test_every_command_has_a_help(words):
    outcome = CliRunner().invoke(atelier, [*words, "--help"])
    assert 0 == outcome.exit_code
    assert "Usage" in outcome.output
    assert ALL[words].help.strip().endswith(".")


@pytest.mark.parametrize("words", [words for words in ALL if not isinstance(ALL[words], click.Group)], ids=" ".join)
def test_every_command_has_an_example_that_it_takes(words):
    example = EXAMPLES[" ".join(words)]
    assert len(example) < 80 - len(" Example:  ")
    assert example in CliRunner(env={"COLUMNS": "80"}).invoke(atelier, [*words, "--help"]).output
    first, *typed = shlex.split(example.removeprefix('eval "$(').removesuffix(')"'))
    assert ("atelier", list(words[:1])) == (first, typed[:1])
    context = atelier.make_context("atelier", typed)
    while context.command is not ALL[words]:
        name, command, rest = context.command.resolve_command(context, [*context._protected_args, *context.args])
        context = command.make_context(name, rest, parent=context)


def test_every_example_is_of_a_command():
    assert {" ".join(words) for words in ALL} >= EXAMPLES.keys()


@pytest.mark.parametrize("words", ALL, ids=" ".join)
def test_no_help_speaks_of_routes(words):
    assert not re.search(r"\b(GET|POST|PATCH|DELETE) /", CliRunner().invoke(atelier, [*words, "--help"]).output)


@pytest.mark.parametrize("words", ALL, ids=" ".join)
def test_no_word_of_a_help_is_broken_at_80_columns(words):
    def shown(columns):
        page = CliRunner(env={"COLUMNS": columns}).invoke(atelier, [*words, "--help"]).output
        return set(re.split(r"[\s│╭╮╰╯─|]+", page))

    assert shown("300") >= shown("80")


@pytest.mark.parametrize("words", ALL, ids=" ".join)
def test_no_two_options_of_a_command_have_one_value(words):
    names = [param.name for param in ALL[words].params]
    assert sorted(set(names)) == sorted(names)


@pytest.mark.parametrize("words", ALL, ids=" ".join)
def test_every_option_has_a_help(words):
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


def test_a_mistyped_command_is_answered_with_the_nearest_one():
    outcome = CliRunner().invoke(atelier, ["generat", "image"])  # codespell:ignore generat
    assert (2, True) == (outcome.exit_code, "Did you mean 'generate'?" in outcome.output)


@pytest.mark.parametrize("words", [words for words in ALL if isinstance(ALL[words], click.Group)], ids=" ".join)
def test_a_group_names_the_nearest_one_for_a_mistyped_command(words):
    name = next(iter(ALL[words].commands))
    outcome = CliRunner().invoke(atelier, [*words, f"{name}x"])
    assert 2 == outcome.exit_code
    assert re.search(f"Did you mean.*'{name}'", outcome.output), outcome.output


def interrupted(setup: str) -> subprocess.CompletedProcess[str]:
    """Run `atelier models`, refused by every address, in a process where `setup` raises SIGINT."""
    script = f"""
import atexit, signal, sys
{setup}
sys.argv = ["atelier", "models", "--url", "http://127.0.0.1:1", "--key", "k"]
from cli.entry import main
main()
"""
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)


MODULES = ["cli.output", "cli.main", "rich_click", "cli.commands.client.models", "httpx", "rich_click._compat_click"]
"""The last one is imported once the command was refused, to show that."""


@pytest.mark.parametrize("module", MODULES)
def test_ctrl_c_during_an_import_ends_without_a_traceback(module):
    outcome = interrupted(f"""
class Interrupts:
    def find_spec(self, name, *_):
        if name == {module!r}:
            signal.raise_signal(signal.SIGINT)
sys.meta_path.insert(0, Interrupts())
""")
    assert (130, "") == (outcome.returncode, outcome.stderr)


def test_ctrl_c_at_the_end_of_a_command_shows_no_traceback():
    outcome = interrupted("atexit.register(signal.raise_signal, signal.SIGINT)")
    assert (130, False) == (outcome.returncode, "Traceback" in outcome.stderr)


def test_ctrl_c_ends_a_command_with_the_status_of_a_signal(monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("cli.http.client.Client.models", interrupted)
    assert 130 == CliRunner().invoke(atelier, ["models", "--url", "http://127.0.0.1:1", "--key", "k"]).exit_code


@pytest.mark.parametrize(
    ("words", "completed"), [("atelier jobs wa", "watch"), ("atelier generate image --wi", "--width")]
)
def test_words_are_completed_in_a_shell(words, completed):
    assert "_atelier_completion" in CliRunner().invoke(atelier, ["completion", "bash"]).output
    asked = {"_ATELIER_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
    assert f"plain,{completed}" == CliRunner().invoke(atelier, [], prog_name="atelier", env=asked).output.strip()


def test_a_command_is_imported_only_to_run():
    script = "import sys, cli.main; print(*(name for name in sys.modules if name.startswith('cli.commands')))"
    outcome = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "" == outcome.stdout.strip()


def loaded_by(*words: str, libraries: set[str]) -> str:
    """Run `atelier` in a fresh process; return those of the libraries that it has loaded, as a list."""
    script = f"""
import sys
from click.testing import CliRunner
from cli.main import atelier
CliRunner().invoke(atelier, {list(words)!r})
print(sorted({libraries!r} & set(sys.modules)))
"""
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.strip()


def test_help_loads_no_library_of_the_service():
    heavy = {"celery", "httpx", "litestar", "psycopg", "pipelines", "redis", "sqlalchemy", "torch", "uvicorn"}
    assert "[]" == loaded_by("--help", libraries=heavy)


@pytest.mark.matrix
@pytest.mark.parametrize(
    "words",
    [
        ["models"],
        ["jobs", "list"],
        ["voices"],
        ["servers"],
        ["webhooks", "list"],
        ["generate", "image", "a star", "-o", "/tmp/a.png"],
    ],
    ids=" ".join,
)
def test_client_commands_load_neither_torch_nor_a_database(words):
    unreachable = ["--url", "http://127.0.0.1:1", "--key", "atl_key"]
    heavy = {"celery", "litestar", "pipelines", "psycopg", "sqlalchemy", "torch"}
    assert "[]" == loaded_by(*words, *unreachable, libraries=heavy)


def test_mcp_loads_no_library_of_models_and_no_database():
    unreachable = ["--url", "http://127.0.0.1:1", "--key", "atl_key"]
    heavy = {"celery", "diffusers", "litestar", "pipelines", "psycopg", "sqlalchemy", "torch", "transformers"}
    assert "[]" == loaded_by("mcp", *unreachable, libraries=heavy)


@pytest.mark.matrix
@pytest.mark.parametrize("words", [["weights", "--help"], ["doctor", "--help"], ["up", "--help"]], ids=" ".join)
def test_host_commands_do_not_load_torch_for_their_help(words):
    assert "[]" == loaded_by(*words, libraries={"torch"})


@pytest.mark.parametrize("command", ["list", "verify"])
def test_weights_are_listed_without_the_extra_worker(command):
    script = f"""
import sys
sys.modules |= dict.fromkeys(["httpx2", "huggingface_hub", "safetensors", "torch"])
from cli.main import atelier
atelier(["weights", {command!r}])
"""
    outcome = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    said = [line for line in outcome.stderr.splitlines() if " after " not in line]  # a slow machine's progress
    assert (0, []) == (outcome.returncode, said)


@pytest.mark.parametrize("name", COMMANDS)
def test_summary_is_the_first_sentence_of_the_commands_help(name):
    assert COMMANDS[name][1] == cleandoc(ALL[name,].help).partition("\n\n")[0]


def test_commands_are_listed_in_their_order():
    assert isinstance(atelier, LazyGroup)
    assert list(COMMANDS) == atelier.list_commands(None)


def test_the_version_is_an_option_and_a_word():
    option, word = (CliRunner().invoke(atelier, [given]) for given in ("--version", "version"))
    assert option.output.startswith("atelier, version ")
    assert (option.output, 0) == (word.output, word.exit_code)
