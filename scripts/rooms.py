"""The rooms of the source and the arrows between them, as the table of docs/architecture/rooms.md.

`python scripts/rooms.py` writes the table anew; `tests/test_architecture.py` reads it and holds the source to it.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "architecture" / "rooms.md"
WINGS = ("core", "jobs", "pipelines", "workers", "api", "cli")
HEAD = "| room | duty | modules | imports, of its own wing |\n|---|---|---|---|\n"
EXEMPT = {"jobs.schema.migrations.versions"}
"""Not a room: its modules grow with every change of the schema, and nothing imports them."""


@dataclass(frozen=True)
class Room:
    """A folder of a wing: what it is for, how many modules it has, and the rooms of its wing that it imports."""

    name: str
    duty: str
    modules: int
    imports: frozenset[str]

    @property
    def wing(self) -> str:
        """The first part of its name."""
        return self.name.partition(".")[0]


def imported(path: Path, tree: ast.AST | None = None) -> Iterator[str]:
    """Every module that a file names in an import; `from a import b` as `a.b`, relative ones in full."""
    package = path.relative_to(ROOT).parts[:-1]
    for node in ast.walk(tree or ast.parse(path.read_text(), filename=str(path))):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = list(package[: len(package) - node.level + 1]) if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            yield from (f"{module}.{name.name}" for name in node.names)


def read_source() -> list[Room]:
    """The rooms as the source has them, in the order of the wings, then by name."""
    folders = sorted({path.parent for wing in WINGS for path in (ROOT / wing).rglob("*.py")})
    rooms = {_dotted(folder): folder for folder in folders}
    return sorted(
        (_read(name, folder, rooms) for name, folder in rooms.items() if name not in EXEMPT),
        key=lambda room: (WINGS.index(room.wing), room.name),
    )


def read_page() -> list[Room]:
    """The rooms as the page lists them."""
    table = PAGE.read_text().partition(HEAD)[2].partition("\n\n")[0]
    rows = ([cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines())
    return [
        Room(name.strip("`"), duty, int(modules), frozenset(imports.replace("`", "").replace(",", "").split()))
        for name, duty, modules, imports in rows
    ]


def _read(name: str, folder: Path, rooms: dict[str, Path]) -> Room:
    files = [path for path in folder.glob("*.py") if path.name != "__init__.py"]
    front = folder / "__init__.py"
    duty = ast.get_docstring(ast.parse(front.read_text())) if front.exists() else "Alembic's environment."
    arrows = {_room_of(module, rooms) for path in files for module in imported(path)}
    wing = name.partition(".")[0]
    own = {room for room in arrows if room and room.partition(".")[0] == wing} - {name}
    return Room(name, " ".join((duty or "").split()), len(files), frozenset(own))


def _room_of(module: str, rooms: dict[str, Path]) -> str | None:
    """The room that holds a module or a name in it."""
    while module and module not in rooms:
        module = module.rpartition(".")[0]
    return module or None


def _dotted(folder: Path) -> str:
    return ".".join(folder.relative_to(ROOT).parts)


def _row(room: Room) -> str:
    imports = ", ".join(f"`{name}`" for name in sorted(room.imports))
    return f"| `{room.name}` | {room.duty} | {room.modules} | {imports} |\n"


if __name__ == "__main__":
    before, _, rest = PAGE.read_text().partition(HEAD)
    after = rest.partition("\n\n")[2]
    PAGE.write_text(f"{before}{HEAD}{''.join(map(_row, read_source()))}\n{after}")
