"""The id scheme: a prefix and a UUID that sorts by its time; a dialect shows the same UUID under its own prefix."""

import os
import re
import time

from core.errors.unknown import MalformedId

_RANDOM, _VERSION = 0x0FFF_3FFF_FFFF_FFFF_FFFF, 0x7000_8000_0000_0000_0000
"""Of the last 80 bits of a UUID: those that are random, and what version 7 and its variant make of the others."""
_ID = re.compile(r"([a-z_]+)_([0-9a-f]{32})")


def new_id(prefix: str) -> str:
    """Return a fresh id, e.g. `job_` and 32 hexadecimal digits.

    They are a UUID of version 7 (RFC 9562): 48 bits of milliseconds since 1970, then 74 random bits. New rows are
    therefore neighbors in an index. An order is never read from an id: those of versions before are random all through.
    """
    drawn = int.from_bytes(os.urandom(10)) & _RANDOM | _VERSION
    return f"{prefix}_{time.time_ns() // 1_000_000:012x}{drawn:020x}"


def is_id(prefix: str, text: str) -> bool:
    """Return whether `text` has the shape of an id with this prefix."""
    match = _ID.fullmatch(text)
    return match is not None and match[1] == prefix


def check_id(prefix: str, text: str) -> str:
    """Return `text`, or raise `MalformedId` unless it has the shape of an id with this prefix."""
    if not is_id(prefix, text):
        raise MalformedId(f"{text[:80]!r} is not a {prefix} id; send {prefix}_ followed by 32 hexadecimal digits.")
    return text
