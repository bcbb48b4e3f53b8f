"""Byte ranges of a download (RFC 9110, section 14): one range per request; anything else is answered whole."""

import re

import msgspec

from core.errors import BadRange

_ONE_RANGE = re.compile(r"bytes=\s*([0-9]{0,18})-([0-9]{0,18})\s*", re.IGNORECASE)


class Span(msgspec.Struct, frozen=True):
    """Bytes `first` to `last`, both included."""

    first: int
    last: int

    @property
    def length(self) -> int:
        """How many bytes."""
        return self.last - self.first + 1


def parse_range(header: str | None, size: int) -> Span | None:
    """The span that a Range header asks for of a file of `size` bytes; None for the whole file.

    A header of another unit, of several ranges or of no meaning is ignored, as the RFC allows. Raises `BadRange` for
    one that begins beyond the end.
    """
    match = _ONE_RANGE.fullmatch(header or "")
    if match is None or (not match[1] and not match[2]):
        return None
    if not match[1]:
        return _suffix(int(match[2]), size)
    first, last = int(match[1]), int(match[2]) if match[2] else size - 1
    if match[2] and last < first:
        return None
    if first >= size:
        raise BadRange(f"The file has {size} bytes; ask for a range that begins before that.")
    return Span(first, min(last, size - 1))


def _suffix(length: int, size: int) -> Span:
    if length == 0 or size == 0:
        raise BadRange("Ask for at least one byte.")
    return Span(max(0, size - length), size - 1)
