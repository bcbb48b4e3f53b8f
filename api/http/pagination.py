"""Cursors of a listing: the end of the page before, opaque to the caller."""

import base64
from datetime import datetime
from typing import Protocol

import msgspec

from core.errors.fields import InvalidRequest

Position = tuple[datetime, str]


class Listed(Protocol):
    """An entry of a listing: a job, or a row."""

    @property
    def created_at(self) -> datetime:
        """The time of its creation."""

    @property
    def id(self) -> str:
        """Its id."""


def pack(last: Listed) -> str:
    """Return the cursor of the page after `last`."""
    return base64.urlsafe_b64encode(msgspec.json.encode((last.created_at, last.id))).decode().rstrip("=")


def unpack(cursor: str) -> Position:
    """Return the `created_at` and id in a cursor. Raises `InvalidRequest` for one that `pack` did not make."""
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        position: Position | None = msgspec.json.decode(text, type=Position)
    except (ValueError, msgspec.DecodeError):
        position = None
    if position is None or position[0].tzinfo is None or "\0" in position[1]:
        raise InvalidRequest(
            "`cursor` is invalid; send `next_cursor` of the page before, unchanged.", field="query.cursor"
        )
    return position
