"""The contract's marks in the suite: each stands on a test that runs wherever `make test` runs."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.paths import ROOT

Marked = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef

NOT_EVERYWHERE = {"long", "gpu", "skip", "skipif", "xfail"}
"""Marks of tests that `make test` leaves out, here or on some machines."""

SKIPS = {"skip", "importorskip", "xfail"}
"""Functions of pytest that end a test without a verdict."""


def marks_of(node: Marked) -> set[str]:
    """Return the names of the marks that are on a function or class itself, not on one of its parameters."""
    calls = [one.func if isinstance(one, ast.Call) else one for one in node.decorator_list]
    return {call.attr for call in calls if isinstance(call, ast.Attribute) and ast.unparse(call.value) == "pytest.mark"}


def skips_in(node: ast.AST) -> Iterator[str]:
    for call in ast.walk(node):
        if isinstance(call, ast.Call) and ast.unparse(call.func) in {f"pytest.{name}" for name in SKIPS}:
            yield ast.unparse(call.func)


def not_everywhere(source: str) -> list[str]:
    """Return the tests with a number that do not run everywhere, and why."""
    tree = ast.parse(source)
    of_module = [name for statement in tree.body if not isinstance(statement, Marked) for name in skips_in(statement)]
    found = list[str]()

    def look(node: ast.AST, classes: set[str]) -> None:
        for child in ast.iter_child_nodes(node):
            if not isinstance(child, Marked):
                continue
            marks = classes | marks_of(child)
            if isinstance(child, ast.ClassDef):
                look(child, marks)
            elif "contract" in marks:
                reasons = [*sorted(marks & NOT_EVERYWHERE), *skips_in(child), *of_module]
                found.extend(f"{child.name}: {reason}" for reason in reasons)

    look(tree, set())
    return found


def marked_files() -> list[Path]:
    return [file for file in sorted((ROOT / "tests").rglob("test_*.py")) if "mark.contract(" in file.read_text()]


@pytest.mark.parametrize("file", marked_files(), ids=lambda file: str(file.relative_to(ROOT / "tests")))
def test_every_marked_test_runs_everywhere(file):
    assert [] == not_everywhere(file.read_text())


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("@pytest.mark.long\n@pytest.mark.contract('C1')\ndef test_it(): pass", "test_it: long"),
        ("@pytest.mark.contract('C1')\ndef test_it():\n    pytest.skip('no JDK')", "test_it: pytest.skip"),
        (
            "@pytest.mark.gpu\nclass TestIt:\n    @pytest.mark.contract('C1')\n    def test_it(self): pass",
            "test_it: gpu",
        ),
        ("pytest.importorskip('x')\n@pytest.mark.contract('C1')\ndef test_it(): pass", "test_it: pytest.importorskip"),
    ],
)
def test_a_marked_test_that_may_be_skipped_is_found(source, reason):
    assert [reason] == not_everywhere(source)


def test_a_long_parameter_beside_a_quick_one_is_allowed():
    long = "pytest.param(1, marks=pytest.mark.long)"
    source = f"@pytest.mark.contract('C1')\n@pytest.mark.parametrize('n', [0, {long}])\ndef test_it(n): pass"
    assert [] == not_everywhere(source)
