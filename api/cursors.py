"""Cursors of a listing: where the page before ended, opaque to the caller."""

import base64
from datetime import datetime

import msgspec

from jobs.errors import InvalidRequest
from jobs.job import Job

Place = tuple[datetime, str]


def pack(job: Job) -> str:
    """The cursor that continues after `job`."""
    return base64.urlsafe_b64encode(msgspec.json.encode((job.created_at, job.id))).decode().rstrip("=")


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
