"""Options with a fixed set of values."""

import difflib
import textwrap
from collections.abc import Iterable, Sequence

import rich_click as click

COLUMN = 22
"""Width of values in a help: a terminal of 80 columns has room for a sentence beside it."""


def show_values(values: Iterable[object]) -> str:
    """Return values as a help shows them: `1K|2K|4K`, and many in lines that end between two of them."""
    words = [str(value) for value in values]
    return short if len(short := "|".join(words)) <= COLUMN else textwrap.fill(" | ".join(words), COLUMN)


class NearestChoice(click.Choice[str]):
    """One of some words; the refusal of another one names the nearest."""

    def __init__(self, choices: Sequence[str]) -> None:
        super().__init__(choices)

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:
        """Return the values as a help shows them, an argument's in the brackets of a usage line."""
        shown = show_values(self.choices)
        return f"[{shown}]" if param.param_type_name == "argument" else shown

    def get_invalid_choice_message(self, value: object, ctx: click.Context | None) -> str:
        """Return the sentence about a value that is none of the words."""
        near = difflib.get_close_matches(str(value).lower(), list(self.choices), n=1)
        return super().get_invalid_choice_message(value, ctx) + (f" Did you mean {near[0]!r}?" if near else "")
