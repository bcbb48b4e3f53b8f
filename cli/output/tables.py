"""Tables and times on a terminal."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
import rich_click as click
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

GAP = 2
"""Characters between two columns."""
LEAST = 6
"""Characters of a column to which the first one does not give way."""
ENOUGH = 24
"""Characters of a column that is folded rather than left out."""


def print_table(titles: Sequence[str], rows: Sequence[Sequence[object]], *, optional: Sequence[str] = ()) -> None:
    """Print a table as wide as its output allows.

    On a terminal that is too narrow the `optional` columns are left out, the last one first, and named below the table;
    then cells are folded, those of the first column only where it is very wide. Nothing is left out or folded where the
    output is not a terminal.
    """
    console = Console()
    cells = [[_on_one_line(cell) for cell in row] for row in rows]
    widths = [max(map(cell_len, column)) for column in zip(titles, *cells, strict=True)]
    if not console.is_terminal:
        for row in (titles, *cells):
            click.echo("".join(_padded(cell, width + GAP) for cell, width in zip(row, widths, strict=True)).rstrip())
        return
    left_out = _left_out(titles, widths, optional, console.width)
    shown = [number for number, title in enumerate(titles) if title not in left_out]
    table = Table.grid(padding=(0, GAP, 0, 0))
    for width in _narrowed([widths[number] for number in shown], console.width - GAP * (len(shown) - 1)):
        table.add_column(width=width, overflow="fold")
    table.add_row(*(Text(titles[number], style="bold") for number in shown))
    for row in cells:
        table.add_row(*(Text(row[number]) for number in shown))
    console.print(table)
    if left_out:
        print_note(f"A wider terminal shows {', '.join(title for title in titles if title in left_out)} too.")


def print_folded(text: str) -> None:
    """Print a line, which a terminal has folded between words."""
    console = Console()
    console.print(Text(text)) if console.is_terminal else click.echo(text)


def print_note(text: str) -> None:
    """Print a remark about a table below it, on a terminal only: a program that reads the table expects rows alone."""
    console = Console()
    if console.is_terminal:
        console.print(Text(text, style="dim"))


def print_facts(facts: Mapping[str, object]) -> None:
    """Print the facts about one thing, a line each; those that are None or empty are left out.

    Only a terminal has long ones folded, between words where there are any.
    """
    there = {name: str(fact) for name, fact in facts.items() if fact not in (None, "")}
    console, width = Console(), max(map(cell_len, there)) + GAP
    if not console.is_terminal:
        for name, fact in there.items():
            click.echo(_padded(name, width) + fact.replace("\n", f"\n{' ' * width}"))
        return
    table = Table.grid(padding=(0, GAP, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for name, fact in there.items():
        table.add_row(Text(name, style="bold"), Text(fact))
    console.print(table)


def _padded(text: str, width: int) -> str:
    return text + " " * (width - cell_len(text))


def _on_one_line(cell: object) -> str:
    return "" if cell is None else " ".join(str(cell).splitlines())


def _left_out(titles: Sequence[str], widths: Sequence[int], optional: Sequence[str], most: int) -> set[str]:
    """Return the titles of the optional columns that a table of `most` characters has no room for."""
    left_out = set[str]()
    widths = [widths[0], *(min(width, ENOUGH) for width in widths[1:])]
    for title in reversed(optional):
        if sum(width + GAP for name, width in zip(titles, widths, strict=True) if name not in left_out) - GAP <= most:
            break
        left_out.add(title)
    return left_out


def _narrowed(widths: Sequence[int], room: int) -> list[int]:
    """Return the widths of columns that fit into so many characters: the widest give way, the first one last."""
    narrowed = list(widths)
    while sum(narrowed) > room:
        others = range(1, len(narrowed))
        widest = max(others, key=narrowed.__getitem__, default=0)
        widest = widest if widest and narrowed[widest] > LEAST else max(range(len(narrowed)), key=narrowed.__getitem__)
        narrowed[widest] -= 1
    return narrowed


def few(items: Collection[str], most: int = 3) -> str:
    """Return the first of some names and the number of the others, for a cell: `ar, da, de and 20 more`."""
    first = ", ".join(list(items)[:most])
    return f"{first} and {len(items) - most} more" if len(items) > most else first


def print_json(value: Any) -> None:
    """Print a value as indented JSON."""
    click.echo(msgspec.json.format(msgspec.json.encode(value)).decode())


def format_time(moment: datetime | None) -> str:
    """Format a time as local time to the second, with its zone; None is empty."""
    return moment.astimezone().strftime("%Y-%m-%d %H:%M:%S %Z") if moment is not None else ""


json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON for a program.")
