"""Text in chunks that a speech model speaks well. No torch."""

import re
import unicodedata
from collections.abc import Iterator

from core.errors.fields import OutOfRange
from pipelines.speech.samples import Edge

MAX_CHARACTERS = 300
"""Characters that a model speaks well in one go; it loses its way in a longer text."""
SHORT_CHARACTERS = 60
"""Characters of sentences that are spoken together where speech is made sentence by sentence."""

_CLOSERS = "\"'”’»)]"
_SENTENCES = re.compile(rf"(?<=[.!?…])[{re.escape(_CLOSERS)}]*\s+|(?<=[。！？])")
_CLAUSES = re.compile(r"(?<=[,;:—–])\s+|(?<=[、，；：])")
_WORDS = re.compile(r"\s+")
_WIDE = 3
"""Letters of an alphabet that a Chinese or Japanese character counts for: about as many as it takes to speak it."""


def clean_text(text: str) -> str:
    """Return the text without control characters and superfluous space. Raises `OutOfRange` if nothing is left."""
    kept = "".join(" " if unicodedata.category(letter) == "Cc" else letter for letter in text)
    cleaned = " ".join(kept.split())
    if not cleaned:
        raise OutOfRange("`text` has no words to speak; send some.", field="$.text")
    return cleaned


def split_text(text: str, limit: int = MAX_CHARACTERS) -> list[str]:
    """Return chunks of at most `limit` characters, cut where sentences end.

    A sentence that is too long is cut at a comma, else at a space, else anywhere. Together the chunks hold every word
    of the text once, in order.
    """
    return list(_packed(_fitting(text, limit, (_SENTENCES, _CLAUSES, _WORDS)), limit))


def split_sentences(text: str, least: int = SHORT_CHARACTERS) -> list[str]:
    """Return the sentences of the text, in order: short ones together, long ones cut as by `split_text`."""
    fitting = (part for sentence in _parts(text, _SENTENCES) for part in split_text(sentence))
    return list(_packed(fitting, least))


def edge_after(chunk: str) -> Edge:
    """Return how the chunk meets the next one of its text: a phrase that was cut in the middle has no pause there."""
    return "pause" if unicodedata.category(chunk[-1])[0] == "P" else "cross-fade"


def _fitting(text: str, limit: int, marks: tuple[re.Pattern[str], ...]) -> Iterator[str]:
    if _length(text) <= limit:
        yield text
    elif not marks:
        step = limit if _length(text) == len(text) else max(1, limit // _WIDE)
        yield from (text[start : start + step] for start in range(0, len(text), step))
    else:
        for part in _parts(text, marks[0]):
            yield from _fitting(part, limit, marks[1:])


def _parts(text: str, separator: re.Pattern[str]) -> Iterator[str]:
    """Yield the text between the separators; a closing quote belongs to the sentence that it ends."""
    start = 0
    for found in separator.finditer(text):
        end = found.start() + len(found.group().rstrip())
        if text[start:end].strip():
            yield text[start:end].strip()
        start = found.end()
    if text[start:].strip():
        yield text[start:].strip()


def _packed(parts: Iterator[str], limit: int) -> Iterator[str]:
    packed = ""
    for part in parts:
        together = f"{packed}{_gap(packed, part)}{part}"
        if packed and _length(together) > limit:
            yield packed
            packed = part
        else:
            packed = together
    if packed:
        yield packed


def _gap(before: str, after: str) -> str:
    return " " if before and not (_is_wide(before[-1]) and _is_wide(after[0])) else ""


def _length(text: str) -> int:
    return sum(_WIDE if _is_wide(letter) else 1 for letter in text)


def _is_wide(letter: str) -> bool:
    return unicodedata.east_asian_width(letter) in "WF"
