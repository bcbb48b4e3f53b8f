"""The words of style.md: riddles are forbidden in prose, and names that were given up do not come back."""

import re
import subprocess
import tokenize

import pytest

from tests.support.paths import ROOT

FORBIDDEN = re.compile(r"(?<![`\"])\b(can not|nobody|somebody|whoever|told|hands|is no)\b(?! longer)", re.IGNORECASE)
"""Each hides the subject or the duty of a sentence; say which process does what. Unix has an account `nobody`."""

OLD_NAMES = {
    *("Held", "held", "Room", "Servant", "servant", "ServantDied", "Ears", "ears", "Signs", "signs"),
    *("Presence", "presence", "NameTaken", "NameLost", "Ledger", "ledger", "InputLedger", "DeliveryLedger"),
    *("Orderly", "orderly", "Housekeeping", "housekeeping", "Tidy", "Tidied", "Broke", "Poster", "poster"),
    *("Desk", "desk", "Once", "Lack", "lacks", "Outlook", "Outlooks", "outlook", "outlooks", "Taken", "Kept"),
    *("Follower", "follower", "Announcer", "announcer", "Landed", "Parking", "parking", "Wanted", "Carried"),
    *("Speed", "powerless", "Wish", "wish", "Drawn", "hear", "Raw", "judge", "Judged", "Opening", "why_not"),
    *("faces_of", "telling", "Lane", "Ground", "Home", "HomeBusy", "spoken", "TryAgain", "untold", "told"),
}
"""Identifiers of before November 2026 (the glossary has their successors)."""

PLACES = ("api", "benchmarks", "cli", "core", "docs", "jobs", "pipelines", "tests", "workers")
ROOT_FOLDER = ":(glob)"
PROSE = (*PLACES, "helm", "scripts", pytest.param(ROOT_FOLDER, id="README and CHANGELOG"))


def files(place: str, ending: str) -> list[str]:
    pattern = f"{place}*{ending}" if place == ROOT_FOLDER else f"{place}/*{ending}"
    listed = subprocess.run(["git", "ls-files", pattern], cwd=ROOT, capture_output=True, text=True, check=True)
    return [name for name in listed.stdout.split() if name not in EXEMPT]


EXEMPT = {"tests/unit/docs/test_vocabulary.py", "docs/contract.md"}
"""This list itself, and the contract's own words."""


OLD_WORDS = re.compile(rf"\b(?:{'|'.join(OLD_NAMES)})\b")


@pytest.mark.parametrize("place", PROSE)
def test_prose_has_no_forbidden_words(place):
    wrong = [
        f"{name}:{number}: {line.strip()}"
        for ending in (".py", ".md", ".toml", ".sh", ".yaml")
        for name in files(place, ending)
        for number, line in enumerate((ROOT / name).read_text().splitlines(), 1)
        if FORBIDDEN.search(line)
    ]
    assert [] == wrong


@pytest.mark.parametrize("place", PLACES)
def test_old_names_do_not_come_back(place):
    wrong = []
    for name in files(place, ".py"):
        if not OLD_WORDS.search((ROOT / name).read_text()):  # tokens take much longer
            continue
        with (ROOT / name).open("rb") as source:
            wrong += [
                f"{name}:{token.start[0]}: {token.string}"
                for token in tokenize.tokenize(source.readline)
                if token.type == tokenize.NAME and token.string in OLD_NAMES
            ]
    assert [] == wrong


def test_names_of_tests_have_under_60_characters():
    long = [
        f"{name}: {test}"
        for name in files("tests", ".py")
        for test in re.findall(r"def (test_\w+)", (ROOT / name).read_text())
        if len(test) >= 60
    ]
    assert [] == long
