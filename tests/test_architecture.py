"""The rooms: the tables of docs/architecture/rooms.md, held against the source itself."""

import ast
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from scripts import rooms

ROOT = rooms.ROOT
OURS = {*rooms.WINGS, "benchmarks", "tests"}
MOST_MODULES = 15
LARGER = {"pipelines.demo"}
"""The demo model with its training, which does not grow."""

TORCH_BEARING = {"accelerate", "diffusers", "onnxruntime", "rembg", "torch", "transformers"}

MAY_NOT_IMPORT = {
    "core": {"litestar"} | TORCH_BEARING,
    "jobs": {"litestar"} | TORCH_BEARING,
    "pipelines.catalog": TORCH_BEARING,
    "pipelines.weights": TORCH_BEARING - {"torch"},
    "api": TORCH_BEARING,
}
"""Libraries that are heavy, or that belong to one wing, anywhere in the file."""

LAZILY = {"cli": TORCH_BEARING}
"""Libraries that are imported only inside a function. `tests/unit/cli/test_main.py` holds what each command loads."""


source = cache(rooms.read_source)
"""The rooms as the source has them; reading all of it takes seconds."""


def may_import() -> dict[str, set[str]]:
    """What each wing may import of ours: the first table of the page."""
    table = rooms.PAGE.read_text().partition("| may import |")[2].partition("\n\n")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[2:]]
    allowed = {name.strip("`"): set(names.replace("`", "").replace(",", "").split()) for name, _, names in rows}
    return {name: set(rooms.WINGS) if names == {"all"} else names for name, names in allowed.items()}


def modules(package: str) -> list[Path]:
    return sorted((ROOT / package.replace(".", "/")).rglob("*.py"))


def imports(path: Path, *, top_level: bool = False) -> Iterator[str]:
    """Every module that `path` names in an import; with `top_level` those that happen when it is loaded."""
    tree = ast.parse(path.read_text(), filename=str(path))
    if top_level:
        tree = ast.fix_missing_locations(Lazy().visit(tree))
    yield from rooms.imported(path, tree)


class Lazy(ast.NodeTransformer):
    """Takes away everything whose imports do not happen when the module is loaded."""

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        return ast.Pass()

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        return ast.Pass()

    def visit_If(self, node: ast.If) -> ast.AST:
        typing_only = ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING")
        return ast.Pass() if typing_only else self.generic_visit(node)


def within(name: str, allowed: set[str]) -> bool:
    return any(name == one or name.startswith(one + ".") for one in allowed)


def public_classes() -> Iterator[tuple[str, str]]:
    """Yield the name and the file of every public class of the wings."""
    for wing in rooms.WINGS:
        for path in modules(wing):
            for node in ast.parse(path.read_text()).body:
                if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                    yield node.name, str(path.relative_to(ROOT))


def test_page_lists_the_rooms_and_arrows_of_the_source():
    assert rooms.read_page() == source(), "run `python scripts/rooms.py`, and look at what it changes"


def test_rooms_have_at_most_15_modules():
    crowded = {room.name: room.modules for room in source() if room.modules > MOST_MODULES}
    assert crowded.keys() == LARGER


@pytest.mark.parametrize("path", [path for wing in rooms.WINGS for path in modules(wing) if path.stem == "__init__"])
def test_init_is_one_sentence_without_imports(path):
    (only,) = ast.parse(path.read_text()).body
    assert isinstance(only, ast.Expr)
    sentence = ast.literal_eval(only.value)
    assert sentence.endswith(".")
    assert "\n\n" not in sentence
    assert ". " not in sentence


def test_rooms_import_each_other_in_one_direction():
    remaining = {room.name: set(room.imports) for room in source()}
    while leaves := {name for name, arrows in remaining.items() if not arrows & remaining.keys()}:
        remaining = {name: arrows for name, arrows in remaining.items() if name not in leaves}
    assert {} == remaining, "these rooms are on a circle, or lead to one"


def test_no_two_public_classes_have_the_same_name():
    counted = Counter(name for name, _ in public_classes())
    assert {name for name, count in counted.items() if count > 1} == set()


@pytest.mark.parametrize("wing", rooms.WINGS)
def test_a_wing_imports_only_what_it_may(wing):
    allowed = may_import()[wing]
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in modules(wing)
        for name in imports(path)
        if within(name, OURS) and not within(name, allowed)
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


@pytest.mark.parametrize("module", ["api.app", "cli.main", "core.processes", "core.settings"])
def test_importing_a_front_module_does_not_load_torch(module):
    script = f"import sys, {module}; print(sorted({TORCH_BEARING!r} & set(sys.modules)))"
    outcome = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert "" == outcome.stderr
    assert "[]" == outcome.stdout.strip()


def test_the_api_starts_without_the_library_of_mcp():
    code = "import sys, api.app; sys.exit(any(name in sys.modules for name in ('mcp', 'mcp_types', 'pydantic')))"
    assert 0 == subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode


@pytest.mark.parametrize("module", ["workers.engine.engine", "workers.engine.encoder"])
def test_a_process_that_only_computes_brings_no_database_along(module):
    code = f"import sys, {module}; sys.exit('sqlalchemy' in sys.modules)"
    assert 0 == subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode


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
    monkeypatch.setattr(rooms, "ROOT", tmp_path)
    path = tmp_path / "jobs" / "statements" / "x.py"
    path.parent.mkdir(parents=True)
    path.write_text(text)
    assert expected == list(imports(path))


def test_imports_inside_functions_are_not_of_the_top_level(tmp_path, monkeypatch):
    monkeypatch.setattr(rooms, "ROOT", tmp_path)
    path = tmp_path / "x.py"
    path.write_text("import a\ndef f():\n    import b\nif TYPE_CHECKING:\n    import c\n")
    assert ["a"] == list(imports(path, top_level=True))
