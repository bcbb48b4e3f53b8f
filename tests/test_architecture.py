"""Who may import whom: the table of docs/architecture, read from the source itself."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
OURS = {"api", "benchmarks", "cli", "jobs", "pipelines", "tests", "workers"}
TORCH_BEARING = {"accelerate", "diffusers", "onnxruntime", "rembg", "torch", "transformers"}

MAY_IMPORT = {
    "jobs": {"jobs"},
    "pipelines": {"pipelines", "jobs.params", "jobs.errors", "jobs.languages"},
    "workers": {"workers", "jobs", "pipelines"},
    "api": {"api", "jobs", "pipelines.catalog"},
    "cli": {"cli", "api", "workers", "jobs", "pipelines"},
}
"""Of our own packages. The others are not packages of the service: nothing imports tests or benchmarks."""

MAY_NOT_IMPORT = {"jobs": {"litestar"} | TORCH_BEARING, "api": TORCH_BEARING}
"""Of other people's, anywhere in the file."""

LAZILY = {"cli": TORCH_BEARING | {"pipelines", "workers.engine"}}
"""Only inside a function, so that a command that does not need it starts fast."""


def modules(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def package_of(path: Path) -> list[str]:
    return list(path.relative_to(ROOT).parts[:-1])


def imports(path: Path, *, top_level: bool = False) -> Iterator[str]:
    """Every module that `path` names in an import, `from a import b` as both `a` and `a.b`."""
    tree = ast.parse(path.read_text(), filename=str(path))
    inside = {id(node) for function in functions(tree) for node in ast.walk(function)} if top_level else set()
    for node in ast.walk(tree):
        if id(node) in inside:
            continue
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package_of(path)[: len(package_of(path)) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            yield from (f"{module}.{name.name}" for name in node.names)


def functions(tree: ast.AST) -> Iterator[ast.AST]:
    """Everything whose imports do not happen when the module is loaded."""
    for node in ast.walk(tree):
        typing_only = isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING")
        if typing_only or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def within(name: str, allowed: set[str]) -> bool:
    return any(name == one or name.startswith(one + ".") for one in allowed)


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_a_package_imports_only_what_it_may(package):
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in modules(package)
        for name in imports(path)
        if within(name, OURS) and not within(name, MAY_IMPORT[package])
    ]
    assert [] == wrong


@pytest.mark.parametrize("package", MAY_NOT_IMPORT)
def test_a_package_leaves_heavy_libraries_to_others(package):
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in modules(package)
        for name in imports(path)
        if within(name, MAY_NOT_IMPORT[package])
    ]
    assert [] == wrong


@pytest.mark.parametrize("package", LAZILY)
def test_a_package_imports_heavy_libraries_lazily(package):
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in modules(package)
        for name in imports(path, top_level=True)
        if within(name, LAZILY[package])
    ]
    assert [] == wrong


@pytest.mark.parametrize("module", ["api.app", "cli.main", "workers.children", "jobs.settings"])
def test_importing_a_front_module_does_not_load_torch(module):
    script = f"import sys, {module}; print(sorted({TORCH_BEARING!r} & set(sys.modules)))"
    outcome = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert "" == outcome.stderr
    assert "[]" == outcome.stdout.strip()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("import jobs.job", ["jobs.job"]),
        ("from jobs import job, params", ["jobs.job", "jobs.params"]),
        ("from . import job", ["jobs.statements.job"]),
        ("from .. import job", ["jobs.job"]),
        ("from ..job import Job", ["jobs.job.Job"]),
        ("def f():\n    import torch", ["torch"]),
    ],
)
def test_imports_are_read_rightly(tmp_path, monkeypatch, text, expected):
    monkeypatch.setattr(sys.modules[__name__], "ROOT", tmp_path)
    path = tmp_path / "jobs" / "statements" / "x.py"
    path.parent.mkdir(parents=True)
    path.write_text(text)
    assert expected == list(imports(path))


@pytest.mark.parametrize("module", ["workers.engine", "workers.encoder"])
def test_a_process_that_only_computes_brings_no_database_along(module):
    code = f"import sys, {module}; sys.exit('sqlalchemy' in sys.modules)"
    assert 0 == subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode


def test_imports_inside_functions_are_not_of_the_top_level(tmp_path, monkeypatch):
    monkeypatch.setattr(sys.modules[__name__], "ROOT", tmp_path)
    path = tmp_path / "x.py"
    path.write_text("import a\ndef f():\n    import b\nif TYPE_CHECKING:\n    import c\n")
    assert ["a"] == list(imports(path, top_level=True))
