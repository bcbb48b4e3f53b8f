"""Tables and times on a terminal."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
import rich_click as click
from rich.console import Console
from rich.table import Table
from rich.text import Text


def print_table(titles: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a table; where the output is not a terminal, it is 1000 columns wide, so that no cell is folded."""
    console = Console()
    if not console.is_terminal:
        console = Console(width=1000)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in titles:
        table.add_column(title, overflow="fold")
    for row in rows:
        table.add_row(*(Text("" if cell is None else str(cell)) for cell in row))
    console.print(table)


def print_json(value: Any) -> None:
    """Print a value as indented JSON."""
    click.echo(msgspec.json.format(msgspec.json.encode(value)).decode())


def format_time(moment: datetime | None) -> str:
    """Format a time as local time to the second; None is empty."""
    return moment.astimezone().strftime("%Y-%m-%d %H:%M:%S") if moment is not None else ""


json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON for a program.")
