"""Write docs/features.md, what works in a user's words: `python scripts/features.py`.

`tests/support/contract/features.toml` has the words and what shows each: numbers of docs/contract.md, which the tests
make, and files of tests.
"""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FEATURES = ROOT / "tests" / "support" / "contract" / "features.toml"
CONTRACT = ROOT / "docs" / "contract.md"
PAGE = ROOT / "docs" / "features.md"

HEAD = """\
# What works

Each line was shown by tests that passed in a whole run. On a machine without a GPU the demo models stand in for the
large ones, which have run with tiny random weights in their published layout. `scripts/features.py` writes this page
from the tests' own record.
"""
LATER = "\n## Not there yet\n\n"

_ROW = re.compile(r"^\| ([A-F]\d+) \| .* \| (works|not yet) \|$", re.MULTILINE)
_RANGE = re.compile(r"([A-F])(\d+)-\1(\d+)")


def read_statuses() -> dict[str, bool]:
    """Return whether each number of the contract works."""
    return {number: status == "works" for number, status in _ROW.findall(CONTRACT.read_text())}


def read_features() -> dict[str, dict[str, list[str]]]:
    """Return the evidence of each line, by what a user wants to do; ranges of numbers are written out."""
    return {
        title: {text: [each for name in shown for each in _expand(name)] for text, shown in lines.items()}
        for title, lines in tomllib.loads(FEATURES.read_text()).items()
    }


def render() -> str:
    """Return the page as it must be committed."""
    statuses, page, later = read_statuses(), HEAD, []
    for title, lines in read_features().items():
        works = [text for text, shown in lines.items() if all(statuses.get(name, True) for name in shown)]
        if works:
            page += f"\n## {title}\n\n" + "".join(f"- {text}\n" for text in works)
        if missing := [text for text in lines if text not in works]:
            later.append(f"- **{title}.** {'. '.join(missing)}.\n")
    return page + (LATER + "".join(later) if later else "")


def _expand(name: str) -> list[str]:
    """Return the numbers of a range such as A1-A100, or the name itself."""
    found = _RANGE.fullmatch(name)
    return [f"{found[1]}{number}" for number in range(int(found[2]), int(found[3]) + 1)] if found else [name]


if __name__ == "__main__":
    PAGE.write_text(render())
