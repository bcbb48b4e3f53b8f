"""The pages name methods of the SDKs that exist."""

import re

from atelier_client import Atelier
from tests.support.pages import PAGES, read_blocks
from tests.support.paths import ROOT

SDKS = ROOT / "sdk"
METHOD = re.compile(r"^  (?:async )?\*?(\w+)(?:<[^(]*>)?\(", re.MULTILINE)
"""A public method of a class in TypeScript; private ones begin with #."""
TYPESCRIPT = {
    name
    for file, start in (("client", ""), ("media", "media."))
    for name in (start + found for found in METHOD.findall((SDKS / "typescript" / "src" / f"{file}.ts").read_text()))
}
NAMED = re.compile(r"`([\w.]+)[^`]*` \((Python|TypeScript)\)")
"""A method that a sentence says an SDK has."""
BOTH = re.compile(r"\bSDKs\s+have\s+((?:`\w+`(?:,| and)? ?)++)(?!\s?\()")
"""Methods that both have by the same name; a parenthesis behind says how it is otherwise."""
CALLED = re.compile(r"\batelier\.((?:media\.)?\w+)\(")


def exists(name: str, language: str) -> bool:
    return name in TYPESCRIPT if language == "TypeScript" else callable(getattr(Atelier, name, None))


def test_methods_that_sentences_name_exist() -> None:
    named = [(page.name, *found) for page in PAGES for found in NAMED.findall(page.read_text())]
    both = [
        (page.name, name)
        for page in PAGES
        for found in BOTH.findall(page.read_text())
        for name in found.split("`")[1::2]
    ]
    named += [(page, name, language) for page, name in both for language in ("Python", "TypeScript")]
    assert len(named) > 15
    assert [] == [each for each in named if not exists(each[1], each[2])]


def test_methods_that_programs_call_exist() -> None:
    pages = [*PAGES, *sorted(SDKS.glob("*/README.md"))]
    of_block = {"ts": "TypeScript", "python": "Python"}
    called = [
        (block.place, name, of_block[block.language])
        for page in pages
        for block in read_blocks(page)
        if block.language in of_block
        for name in CALLED.findall(block.code)
    ]
    assert {"Python", "TypeScript"} == {language for _, _, language in called}
    assert [] == [each for each in called if not exists(each[1], each[2])]
