"""Every fenced block of README and docs: run by `tests/acceptance/test_pages.py`, or with a reason why not."""

import re
from fnmatch import fnmatch
from pathlib import Path

import pytest

from tests.support.pages import MADE, MAGIC, PAGES, PROGRAMS, SHOWN, Block, read_blocks, save_blocks
from tests.support.paths import ROOT

LINK = re.compile(r'\]\(([^)#\s]+)(?:#[^)]*)?\)|(?:src|href)="([^"#]+)"')
COMMENT = re.compile(r"(^|\s)#\s")

SHOWN_ANSWER = re.compile(r"curl(?!.* (?:-o|-T|-sSN)\b) ")
"""A command that prints an answer of the API; a file, an upload and a stream of events are none."""
LEFT = re.compile(r"(?:\btee|-o|>) +([\w-]+\.\w+)")
"""The name of a file that a command leaves in the folder where it is pasted."""
SAVED = re.compile(r"\b[Aa]s `([\w-]+\.(?:py|mts))`")
"""The name that a page has the reader save a program under."""
ELSEWHERE = re.compile(r"your-host|\.example\b|example\.(?:com|org)")
ENDLESS = re.compile(r"^\s*(?:until|while)\b", re.MULTILINE)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_blocks_are_run_or_say_why_not(page):
    unlabelled = [block.place for block in read_blocks(page) if block.language not in PROGRAMS | SHOWN]
    advice = f"write ```bash (or another of {sorted(PROGRAMS)}) for what is run, ```text for what is only shown"
    assert [] == unlabelled, advice
    commented = [block.place for block in read_blocks(page) if block.is_run and COMMENT.search(shell_code(block))]
    assert [] == commented, "zsh takes the words of a comment that is pasted for arguments: say it beside the block"
    hidden = [block.place for block in read_blocks(page) if block.reason is not None and block.language in SHOWN]
    assert [] == hidden, "what is only shown needs no reason"


def test_an_answer_on_the_screen_ends_its_line():
    glued = [
        f"{block.place}: {line}"
        for page in PAGES
        for block in read_blocks(page)
        for line in shell_code(block).replace("\\\n", " ").splitlines()
        if SHOWN_ANSWER.match(line) and "-w '\\n'" not in line
    ]
    assert [] == glued, "the API's JSON has no newline, so the prompt would stand behind it: add -w '\\n'"


def test_no_line_waits_without_an_end():
    blocks = [block for page in PAGES for block in read_blocks(page)]
    assert [] == [block.place for block in blocks if ENDLESS.search(shell_code(block))]


@pytest.mark.parametrize(
    ("line", "shows"),
    [
        ("curl -sS -X POST http://a", True),
        ("curl -sS http://a | tee job.json", True),
        ("curl -sSL http://a -o star.webp", False),
        ("curl -sSN http://a/events", False),
        ("curl -sSf -T photo.jpg http://a", False),
    ],
)
def test_which_lines_show_an_answer(line, shows):
    assert shows == bool(SHOWN_ANSWER.match(line))


def shell_code(block: Block) -> str:
    return block.code if block.language == "bash" else ""


def test_files_that_lines_leave_in_the_checkout_are_ignored():
    """Some hold secrets: endpoint.txt has a webhook's."""
    made = {
        name
        for page in PAGES
        for block in read_blocks(page)
        if block.is_run
        for name in [block.file, *LEFT.findall(shell_code(block))]
        if name
    }
    made |= {name for page in PAGES for name in SAVED.findall(page.read_text())}
    assert {"endpoint.txt", "receiver.py", "ring.py", "square.mts", "mug.svg", "voice.txt"} <= made
    ignored = [line.removeprefix("/") for line in (ROOT / ".gitignore").read_text().splitlines()]
    assert [] == sorted(name for name in made if not any(fnmatch(name, pattern) for pattern in ignored))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_media_that_lines_leave_are_looked_at(page):
    made = {
        name
        for block in read_blocks(page)
        if block.is_run
        for name in LEFT.findall(shell_code(block))
        if Path(name).suffix in MAGIC
    }
    assert made <= MADE.get(str(page.relative_to(ROOT)), set())


def test_what_is_run_asks_this_machine_alone():
    blocks = [block for page in PAGES for block in read_blocks(page)]
    assert [] == [block.place for block in blocks if block.is_run and ELSEWHERE.search(block.code)]


def test_links_of_the_readme_lead_somewhere():
    found = [link or image for link, image in LINK.findall((ROOT / "README.md").read_text())]
    assert len(found) > 10
    assert [] == [link for link in found if "://" not in link and not (ROOT / link).exists()]


def test_a_reason_stands_on_the_line_before_the_fence(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("<!-- not run: needs a cluster -->\n```bash\nkubectl get pods\n```\n\n```python app.py\nx\n```\n")
    first, second = read_blocks(page)
    assert ("bash", "needs a cluster", False, 2) == (first.language, first.reason, first.is_run, first.line)
    assert ("python", "app.py", None, True) == (second.language, second.file, second.reason, second.is_run)


def test_programs_are_saved_and_run_where_they_stand(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("```bash\nls :8000\n```\n```python\n1\n```\n```ts\n2\n```\n```python app.py\n3\n```\n")
    lines = save_blocks(read_blocks(page), tmp_path, {":8000": ":1234"})
    assert ["ls :1234", ".venv/bin/python page-4.py", "node page-7.mts"] == lines.split("\n")[:5:2]
    assert "3\n" == (tmp_path / "app.py").read_text()
