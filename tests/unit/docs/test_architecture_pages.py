"""The pages of docs/: the files, modules and names that they show in backticks exist, and so does what they link."""

import ast
import re
import subprocess
from collections import Counter
from functools import cache
from itertools import chain
from pathlib import Path

import pytest

from scripts import rooms
from tests.support.paths import ROOT

PAGES = sorted((ROOT / "docs").rglob("*.md"))
OURS = (*rooms.WINGS, "benchmarks", "docs", "helm", "scripts", "tests")
"""Folders whose files a page may name by their path."""

FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
QUOTED = re.compile(r"`([^`\n]+)`")
FILE = re.compile(rf"(?:{'|'.join(OURS)})/[\w./*-]*")
MODULE = re.compile(rf"(?:{'|'.join((*rooms.WINGS, 'tests'))})(?:\.\w+)+")
TEST = re.compile(r"tests/[\w./]+\.py::\w+(?:::\w+)?")
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
ANCHOR = re.compile(r"\]\(([^)#:\s]*\.md)?#([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)
TABLE = re.compile(r"(?:^\|.*\n)+", re.MULTILINE)


@cache
def tracked() -> frozenset[str]:
    """Every file of the repository, and every folder that has one."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    files = [name for name in listed if (ROOT / name).exists()]
    return frozenset(chain(files, (str(folder) for name in files for folder in Path(name).parents)))


@cache
def names_of(module: str) -> frozenset[str]:
    """What a module defines at its top, without importing it."""
    found = set[str]()
    for node in ast.parse((ROOT / module).read_text()).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            found |= {target.id for target in targets if isinstance(target, ast.Name)}
    return frozenset(found)


def quoted(page: Path) -> set[str]:
    return set(QUOTED.findall(FENCE.sub("", page.read_text())))


def is_module(dotted: str) -> bool:
    """Whether it is a room, a module, or a name of a module."""
    path, _, last = dotted.replace(".", "/").rpartition("/")
    if f"{path}/{last}" in tracked() or f"{path}/{last}.py" in tracked():
        return True
    return f"{path}.py" in tracked() and last in names_of(f"{path}.py")


def is_test(name: str) -> bool:
    """Whether it is a function of a file of tests, in the class that it names."""
    file, *_, last = name.split("::")
    return file in tracked() and re.search(rf"^ *def {last}\(", (ROOT / file).read_text(), re.MULTILINE) is not None


def ids(page: Path) -> str:
    return str(page.relative_to(ROOT / "docs"))


@pytest.mark.parametrize("page", PAGES, ids=ids)
def test_every_file_that_a_page_names_exists(page):
    named = {text.rstrip("/") for text in quoted(page) if FILE.fullmatch(text) and "*" not in text}
    assert [] == sorted(named - tracked())


@pytest.mark.parametrize("page", PAGES, ids=ids)
def test_every_module_that_a_page_names_exists(page):
    named = {text for text in quoted(page) if MODULE.fullmatch(text)}
    assert [] == sorted(text for text in named if not is_module(text))


@pytest.mark.parametrize("page", PAGES, ids=ids)
def test_every_test_that_a_page_names_exists(page):
    named = {text for text in quoted(page) if TEST.fullmatch(text)}
    assert [] == sorted(text for text in named if not is_test(text))


@pytest.mark.parametrize("page", PAGES, ids=ids)
def test_every_link_of_a_page_leads_to_a_file(page):
    links = {link for link in LINK.findall(FENCE.sub("", page.read_text())) if "://" not in link}
    assert [] == sorted(link for link in links if not (page.parent / link).exists())


@cache
def anchors(page: Path) -> frozenset[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    words = (re.sub(r"[^\w\- ]", "", heading.strip().lower()) for heading in HEADING.findall(page.read_text()))
    return frozenset(line.replace(" ", "-") for line in words)


def test_links_lead_to_headings_that_exist() -> None:
    links = [
        (page, (page.parent / file).resolve() if file else page, anchor)
        for page in (ROOT / "README.md", *PAGES)
        for file, anchor in ANCHOR.findall(FENCE.sub("", page.read_text()))
    ]
    assert len(links) > 100
    assert [] == [f"{page}: {anchor}" for page, target, anchor in links if anchor not in anchors(target)]


def test_no_row_of_a_table_stands_twice() -> None:
    tables = [
        (page, table.splitlines())
        for page in (ROOT / "README.md", *PAGES)
        for table in TABLE.findall(FENCE.sub("", page.read_text()))
    ]
    assert [] == [f"{page}: {row}" for page, rows in tables for row, times in Counter(rows).items() if times > 1]


def test_the_checks_find_what_is_missing():
    assert is_module("core.errors")
    assert is_module("core.errors.base.AtelierError")
    assert not is_module("core.errors.base.Nothing")
    assert not is_module("core.nothing")
    assert is_test("tests/test_architecture.py::test_rooms_have_at_most_15_modules")
    assert not is_test("tests/test_architecture.py::test_nothing")
    assert FILE.fullmatch("core/nothing.py")
    assert MODULE.fullmatch("workers.gpu.supervisor")


def test_each_decision_is_listed_once_in_the_order_of_numbers() -> None:
    records = sorted(path.name for path in (ROOT / "docs/architecture/decisions").glob("[0-9]*.md"))
    page = (ROOT / "docs/architecture/decisions/README.md").read_text()
    assert records == re.findall(r"^\| \[\d{4}\]\((\S+)\)", page, re.MULTILINE)
