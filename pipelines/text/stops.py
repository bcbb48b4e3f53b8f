"""Where a text ends: stop sequences, which are not part of it."""

from collections.abc import Sequence


def first_stop(text: str, stops: Sequence[str]) -> int | None:
    """Return where the first of the stop sequences begins in the text; None without one."""
    return min((place for stop in stops if (place := text.find(stop)) >= 0), default=None)


def settled(text: str, stops: Sequence[str]) -> str:
    """Return the beginning of an unfinished text that no further token changes.

    Left out are the bytes of a character that is not complete, and what may be the beginning of a stop sequence.
    """
    end = first_stop(text, stops)
    if end is not None:
        return text[:end]
    text = text.rstrip("\N{REPLACEMENT CHARACTER}")
    longest = max(
        (size for stop in stops for size in range(1, len(stop)) if text.endswith(stop[:size])),
        default=0,
    )
    return text[: len(text) - longest]
