"""The warning about a prompt that asks a demo model for more than it can make. No torch."""

import re
from collections.abc import Iterator
from importlib import import_module

from pipelines.catalog.spec import ModelSpec

SHOWN, LONGEST = 5, 30
"""How many words a warning quotes, and how many characters of each."""


def scope_warnings(spec: ModelSpec, prompt: str) -> Iterator[str]:
    """Yield one warning that says what of the prompt the model cannot make, what it makes, and where more is.

    Nothing for a model without a `scope`, and for a prompt within it.
    """
    if spec.scope is None:
        return
    module, _, function = spec.scope.check.partition(":")
    if said := getattr(import_module(module), function)(prompt):
        yield (
            f"{spec.id} {' and '.join(said)}. It makes {spec.scope.makes}. "
            f"A model for more: `atelier weights fetch {spec.scope.alternative}`"
        )


def quote(words: list[str]) -> str:
    """Return the words, each once and in quotation marks: the first five, cut at 30 characters, and how many more."""
    named = list(dict.fromkeys(re.sub(r"^\W+|\W+$", "", word) for word in words))
    shown = ", ".join(f'"{word[:LONGEST]}"' for word in named[:SHOWN])
    return f"{shown} and {len(named) - SHOWN} more" if len(named) > SHOWN else shown
