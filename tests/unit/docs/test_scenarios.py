"""The tables of scenarios in the architecture pages: each module has the numbers that its rows name, and no others."""

import re
from collections import defaultdict

from tests.support.paths import DOCS, ROOT

PAGE = DOCS / "architecture" / "13-faults.md"


def named() -> dict[str, set[int]]:
    """Numbers by module of `tests`, as the page has them."""
    found: dict[str, set[int]] = defaultdict(set)
    for modules, what in re.findall(r"^\| (`[^|]*\.py`) \| (.*) \|$", PAGE.read_text(), re.MULTILINE):
        for module in re.findall(r"`([^`]+)`", modules):
            name = module if "/" in module else f"faults/{module}"
            found[name] |= {int(number) for number in re.findall(r"(?:^|[,;] )(\d+) ", what)}
    return {name: numbers for name, numbers in found.items() if numbers}


def written() -> dict[str, set[int]]:
    """Numbers by module of `tests`, as its tests are named."""
    found = {
        str(file.relative_to(ROOT / "tests")): set(map(int, re.findall(r"def test_(\d+)_", file.read_text())))
        for file in (ROOT / "tests").rglob("test_*.py")
    }
    return {name: numbers for name, numbers in found.items() if numbers}


def test_every_scenario_has_tests_with_its_number():
    assert named() == written()
