"""Cursors of a listing: where the page before ended, opaque to the caller."""

import base64
from datetime import datetime
from typing import Protocol

import msgspec

from core.errors import InvalidRequest

Place = tuple[datetime, str]


class Cursored(Protocol):
    """What a listing has: a job, or a row."""

    @property
    def created_at(self) -> datetime:
        """When it was made."""

    @property
    def id(self) -> str:
        """Its id."""


def pack(last: Cursored) -> str:
    """The cursor that continues after `last`."""
    return base64.urlsafe_b64encode(msgspec.json.encode((last.created_at, last.id))).decode().rstrip("=")


def unpack(cursor: str) -> Place:
    """The `created_at` and id in a cursor; raises `InvalidRequest` for one that was not made here."""
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        place: Place | None = msgspec.json.decode(text, type=Place)
    except (ValueError, msgspec.DecodeError):
        place = None
    if place is None or place[0].tzinfo is None or "\0" in place[1]:
        raise InvalidRequest("Use `next_cursor` of the page before, unchanged.", field="query.cursor")
    return place
