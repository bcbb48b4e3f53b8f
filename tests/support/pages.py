"""The fenced blocks of the root's pages and of docs, and the lines that a reader pastes into a shell."""

import os
import re
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import msgspec

from tests.support.paths import DOCS, ROOT

PAGES = [*(page for page in sorted(ROOT.glob("*.md")) if page.stem != "CHANGELOG"), *sorted(DOCS.rglob("*.md"))]

PROGRAMS = {"bash", "python", "ts", "sql"}
"""Languages of blocks that do something: each is run, or says why not."""
SHOWN = {"text", "mermaid", "json", "yaml", "toml", "ini"}
"""Languages of blocks that are only looked at: output, diagrams, files."""

MAGIC = {
    ".webp": b"RIFF",
    ".png": b"\x89PNG",
    ".svg": b"<",
    ".mp4": b"\0\0\0",
    ".mp3": b"ID3",
    ".ogg": b"OggS",
    ".wav": b"RIFF",
    ".glb": b"glTF",
}
"""How the files of media begin, by their ending."""
MADE = {
    "README.md": {"star.webp", "mug.mp4", "mug.mp3", "circle.webp", "ring.webp", "square.webp"},
    "docs/avatars.md": {"hello.wav", "hello.mp4"},
    "docs/chains.md": {"chair.glb", "story.mp4"},
    "docs/cutout.md": {"mug.png", "clear.png"},
    "docs/segment.md": {"parts.png"},
    "docs/films.md": {
        "mug-near.mp4",
        "morph.mp4",
        "mug-in-the-rain.mp4",
        "mug-follows.mp4",
        "mug-smooth.mp4",
        "both.mp4",
    },
    "docs/pictures.md": {"branded.webp"},
    "docs/servers.md": {"circle.webp"},
    "docs/sound.md": {"rain.ogg", "tune.mp3"},
    "docs/speech.md": {"morning.mp3", "morning.ogg", "morning.wav"},
    "docs/upscale.md": {"large.png"},
    "docs/uploads.md": {"cutout.png", "mug.glb", "recording.wav"},
    "docs/vectorize.md": {"mug.svg"},
    "docs/webhooks.md": {"ring.webp", "star.webp"},
}
"""The media that the lines of each page leave behind."""

_FENCE = re.compile(
    r"(?:^<!-- not run: (?P<reason>[^\n]+) -->\n)?^```(?P<info>[^\n]*)\n(?P<code>.*?)^```$", re.DOTALL | re.MULTILINE
)


class Block(msgspec.Struct, frozen=True):
    """One fenced block.

    The first word of its info string is the `language`, the second the `file` that the page has the reader save it as.
    `reason` is why tests do not run it, from a comment on the line before: `<!-- not run: … -->`.
    """

    page: Path
    line: int
    language: str
    file: str
    code: str
    reason: str | None

    @property
    def is_run(self) -> bool:
        """Whether the tests run it."""
        return self.language in PROGRAMS and self.reason is None

    @property
    def place(self) -> str:
        """Return the page and the line, as a person looks it up."""
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def read_blocks(page: Path) -> list[Block]:
    """Return the fenced blocks of a page, in order."""
    text = page.read_text()
    return [_block(page, text, match) for match in _FENCE.finditer(text)]


def _block(page: Path, text: str, match: re.Match[str]) -> Block:
    language, _, file = match["info"].strip().partition(" ")
    line = text.count("\n", 0, match.start("info")) + 1
    return Block(page, line, language, file, match["code"], match["reason"])


def save_blocks(blocks: list[Block], folder: Path, changes: dict[str, str]) -> str:
    """Write the programs of blocks into a folder, and return the lines that a reader pastes into a shell there.

    A block with a `file` is only saved, since other lines run it. `changes` are what the test has in place of what the
    page says, such as an address.
    """
    lines = []
    for block in blocks:
        code = block.code
        for said, used in changes.items():
            code = code.replace(said, used)
        if block.language == "bash":
            lines.append(code)
        elif block.language == "python":
            lines.append(_saved(folder, block, code, "py", ".venv/bin/python"))
        elif block.language == "ts":
            lines.append(_saved(folder, block, code, "mts", "node"))
        else:
            raise AssertionError(f"{block.place}: no test runs {block.language}; say why it is not run")
    return "\n".join(lines)


def _saved(folder: Path, block: Block, code: str, ending: str, program: str) -> str:
    """Write a program; return the line that runs it, nothing for one that has a name."""
    name = block.file or f"{block.page.stem.lower()}-{block.line}.{ending}"
    (folder / name).write_text(code)
    return "" if block.file else f"{program} {name}\n"


def make_checkout(folder: Path) -> Path:
    """Give a folder what lines need of a checkout: the documentation's files, the lists of wheels, the environment."""
    for path in (ROOT / "docs", *ROOT.glob("requirements-*.txt")):
        (folder / path.name).symlink_to(path)
    (folder / ".venv").symlink_to(Path(sys.executable).parents[1])
    return folder


def paste(shell: str, lines: str, folder: Path, environment: dict[str, str]) -> tuple[int, str]:
    """Run lines in a shell until one fails; return its exit status, and the lines with what they printed."""
    process = subprocess.Popen(
        [shell, "-exc", lines],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        output, _ = process.communicate(timeout=600)
    finally:
        with suppress(ProcessLookupError):  # what the lines left in the background
            os.killpg(process.pid, signal.SIGKILL)
    return process.returncode, output
