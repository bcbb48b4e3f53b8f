"""Byte ranges of a download (RFC 9110, section 14): one range per request, or else the whole file."""

import re

import msgspec

from core.errors.http import BadRange

_ONE_RANGE = re.compile(r"bytes=\s*([0-9]{0,18})-([0-9]{0,18})\s*", re.IGNORECASE)


class ByteRange(msgspec.Struct, frozen=True):
    """Bytes `first` to `last`, both included."""

    first: int
    last: int

    @property
    def length(self) -> int:
        """The number of bytes."""
        return self.last - self.first + 1


def parse_range(header: str | None, size: int) -> ByteRange | None:
    """Return the range that a Range header selects in a file of `size` bytes, or None for the whole file.

    A header with another unit, with several ranges or with an error is ignored, as the RFC allows. Raises `BadRange`
    for a range that begins beyond the end.
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
    return ByteRange(first, min(last, size - 1))


def _suffix(length: int, size: int) -> ByteRange:
    if length == 0 or size == 0:
        raise BadRange("Ask for at least one byte.")
    return ByteRange(max(0, size - length), size - 1)
