"""The id scheme: a prefix and 128 random bits; a dialect shows the same bits under its own prefix."""

import re
import secrets

from core.errors import MalformedId

_ID = re.compile(r"([a-z_]+)_([0-9a-f]{32})")


def new_id(prefix: str) -> str:
    """Return a fresh id, e.g. `job_` and 32 hexadecimal digits."""
    return f"{prefix}_{secrets.token_hex(16)}"


def is_id(prefix: str, text: str) -> bool:
    """Return whether `text` has the shape of an id with this prefix."""
    match = _ID.fullmatch(text)
    return match is not None and match[1] == prefix


def check_id(prefix: str, text: str) -> str:
    """Return `text`, or raise `MalformedId` unless it has the shape of an id with this prefix."""
    if not is_id(prefix, text):
        raise MalformedId(f"{text[:80]!r} is not a {prefix} id; send {prefix}_ followed by 32 hexadecimal digits.")
    return text
