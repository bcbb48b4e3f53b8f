"""`python -m benchmarks`, whose modules the type checker does not see."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.__main__ import NAMES, main
from tests.support.paths import ROOT

FILES = sorted((ROOT / "benchmarks").rglob("*.py"))


def defined(file: Path) -> set[str]:
    """The names that a module has once it is imported."""
    names = set[str]()
    for node in ast.parse(file.read_text()).body:
        match node:
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                names.add(name)
            case ast.Assign(targets=targets):
                names.update(one.id for target in targets for one in ast.walk(target) if isinstance(one, ast.Name))
            case ast.AnnAssign(target=ast.Name(id=name)):
                names.add(name)
            case ast.Import(names=imported) | ast.ImportFrom(names=imported):
                names.update(alias.asname or alias.name for alias in imported)
    return names


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_what_is_imported_from_a_benchmark_is_there(file: Path) -> None:
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("benchmarks."):
            target = ROOT / node.module.replace(".", "/")
            if not target.is_dir():
                missing = {alias.name for alias in node.names} - defined(target.with_suffix(".py"))
                assert not missing, f"{node.module}: {missing}"


@pytest.mark.long
def test_every_benchmark_can_be_imported_by_itself() -> None:
    """The one with diffusers first: the tests' own process has made its import possible."""
    modules = ", ".join(f"benchmarks.{name}" for name in sorted(NAMES, key=lambda name: name != "residency"))
    command = [sys.executable, "-c", f"import {modules}"]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=200, cwd=ROOT)
    assert 0 == ran.returncode, ran.stderr[-2000:]


def test_what_a_benchmark_compares_with_is_asked_for_first(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["benchmarks", "cost", "served"])
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(SystemExit):
        main()
    assert "litserve is not installed: pip install" in capsys.readouterr().err
