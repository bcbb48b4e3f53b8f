"""Options with a fixed set of values."""

import difflib
from collections.abc import Sequence

import rich_click as click


class NearestChoice(click.Choice[str]):
    """One of some words; the refusal of another one names the nearest."""

    def __init__(self, choices: Sequence[str]) -> None:
        super().__init__(choices)

    def get_invalid_choice_message(self, value: object, ctx: click.Context | None) -> str:
        """Return the sentence about a value that is none of the words."""
        near = difflib.get_close_matches(str(value).lower(), list(self.choices), n=1)
        return super().get_invalid_choice_message(value, ctx) + (f" Did you mean {near[0]!r}?" if near else "")
