"""docs/contract.md: every number of the contract, and whether a test that carries it passed."""

import tomllib
from collections.abc import Collection
from pathlib import Path
from typing import Any

HEADER = """\
# Contract

Written by `make contract` from `tests/support/contract/items.toml` and the tests; not edited by hand.
`works`: a test marked with this number passed in the run that wrote this page, and none failed.
`not yet`: everything else; a test that was skipped counts for nothing.
"""

Items = dict[str, str]
"""Number -> text, in the order of the contract."""


def read_surfaces(path: Path) -> dict[str, Any]:
    """The surfaces by letter; each has a `title`, its `source` document and its `items`."""
    return tomllib.loads(path.read_text())


def numbers(surfaces: dict[str, Any]) -> list[str]:
    """Every number, in order."""
    return [number for surface in surfaces.values() for number in surface["items"]]


def render(surfaces: dict[str, Any], working: Collection[str]) -> str:
    """The page as it must be committed."""
    total = numbers(surfaces)
    parts = [HEADER, f"{sum(number in working for number in total)} of {len(total)} work.\n"]
    for letter, surface in surfaces.items():
        done = sum(number in working for number in surface["items"])
        title = f"## {letter}. {surface['title']} ({surface['source']}): {done} of {len(surface['items'])}"
        rows = [_row(number, text, number in working) for number, text in surface["items"].items()]
        parts.append("\n".join([title, "", "| number | feature | status |", "|---|---|---|", *rows, ""]))
    return "\n".join(parts)


def _row(number: str, text: str, works: bool) -> str:
    shown = text.replace("|", "\\|")
    return f"| {number} | {shown} | {'works' if works else 'not yet'} |"
