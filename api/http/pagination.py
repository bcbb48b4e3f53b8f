"""Cursors of a listing (the end of the page before, opaque to the caller), and the times that bound it."""

import base64
from datetime import datetime
from typing import Any, Protocol

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
    return encode_cursor((last.created_at, last.id))


def unpack(cursor: str) -> Position:
    """Return the `created_at` and id in a cursor. Raises `InvalidRequest` for one that `pack` did not make."""
    position: Position = decode_cursor(cursor, Position)
    return position


def encode_cursor(position: Any) -> str:
    """Return the cursor of a position, which is JSON."""
    return base64.urlsafe_b64encode(msgspec.json.encode(position)).decode().rstrip("=")


def decode_cursor(cursor: str, type_: Any) -> Any:
    """Return the position in a cursor, a tuple of this type.

    Raises `InvalidRequest` for one that `encode_cursor` did not make of that type.
    """
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        position = msgspec.json.decode(text, type=type_)
    except (ValueError, msgspec.DecodeError):
        raise wrong_cursor() from None
    parts = position if isinstance(position, tuple) else (position,)
    if any(isinstance(one, datetime) and one.tzinfo is None for one in parts) or any("\0" in str(one) for one in parts):
        raise wrong_cursor()
    return position


def require_zone(time: datetime | None, name: str) -> datetime | None:
    """Return a time of the query. Raises `InvalidRequest` for one without a time zone."""
    if time is not None and time.tzinfo is None:
        raise InvalidRequest(f"`{name}` has no time zone; add one, e.g. 2026-01-31T12:00:00Z.", field=f"query.{name}")
    return time


def wrong_cursor() -> InvalidRequest:
    """Return the refusal of a cursor that is not of this listing."""
    return InvalidRequest(
        "`cursor` is invalid; send `next_cursor` of the page before, unchanged, to the same listing.",
        field="query.cursor",
    )
