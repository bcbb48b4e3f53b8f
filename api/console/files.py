"""The files of the console, `console/` of the checkout, as they are: nothing is built, neither here nor before.

They are read once. Their paths have a digest over all of them, so a browser keeps each for good, and the files of a new
version have new paths; imports are relative, so none is rewritten.
"""

import gzip
import hashlib
from functools import cached_property
from pathlib import Path, PurePosixPath

import msgspec

FOLDER = Path(__file__).parents[2] / "console"
SHELL, FRAME = "index.html", "frame/mesh.html"
MEDIA_TYPES = {
    ".css": "text/css",
    ".html": "text/html",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
    ".woff2": "font/woff2",
}
PACKED = {".woff2"}
"""Files that are compressed already."""
FIRST_MODULES = (
    *("app.js", "api.js", "router.js", "format.js", "html.js"),
    *("vendor/preact.js", "vendor/hooks.js", "vendor/htm.js"),
    *("parts/icons.js", "parts/dialog.js", "parts/keys.js", "parts/state.js"),
)
"""The modules of the first page: the browser is asked for all of them at once, before it has read any."""


class ConsoleFile(msgspec.Struct, frozen=True):
    """A file: its bytes, the same with gzip, and its media type."""

    content: bytes
    compressed: bytes | None
    media_type: str


class ConsoleFiles:
    """The files, read when the first is asked for; below the path `prefix` of the public URL."""

    def __init__(self, prefix: str, folder: Path = FOLDER) -> None:
        self._prefix = prefix
        self._folder = folder

    @cached_property
    def all(self) -> dict[str, ConsoleFile]:
        """Every file by its path, but for the shell, which is `shell`."""
        found = {path.relative_to(self._folder).as_posix(): path for path in sorted(self._folder.rglob("*"))}
        return {
            name: read_file(path)
            for name, path in found.items()
            if path.suffix in MEDIA_TYPES and path.is_file() and name != SHELL
        }

    @cached_property
    def version(self) -> str:
        """A digest of all files, of 12 characters."""
        digest = hashlib.sha256((self._folder / SHELL).read_bytes())
        for name, file in self.all.items():
            digest.update(f"\0{name}\0".encode() + file.content)
        return digest.hexdigest()[:12]

    @cached_property
    def shell(self) -> ConsoleFile:
        """The page, which is the same for every path of the console."""
        base = f"{self._prefix}/console/~{self.version}"
        modules = (f'<link rel="modulepreload" href="{base}/{name}">' for name in FIRST_MODULES)
        page = (self._folder / SHELL).read_text().replace("{modules}", "\n".join(modules)).replace("{base}", base)
        return _file(page.encode(), ".html")

    def find(self, path: str) -> ConsoleFile | None:
        """Return the file of a path below `/console`, as `/~<version>/app.js`; None for what is not of this version."""
        version, _, name = path.removeprefix("/~").partition("/")
        return self.all.get(name) if version == self.version else None


def read_file(path: Path) -> ConsoleFile:
    """Return a file of the console."""
    return _file(path.read_bytes(), PurePosixPath(path).suffix)


def _file(content: bytes, suffix: str) -> ConsoleFile:
    compressed = None if suffix in PACKED else gzip.compress(content, mtime=0)
    return ConsoleFile(content, compressed, MEDIA_TYPES[suffix])
