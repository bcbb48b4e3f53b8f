"""Statements of the CPU workers about the media library: which items to look at, and what was seen.

An item is taken for some minutes, as `look_at` then says, and its attempt is counted: what a worker writes that was too
slow matches no row, since another one has taken the item meanwhile.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Select, Update, func, select, update

from jobs.job import JobError, JobStatus
from jobs.schema.tables import inputs, jobs, media
from jobs.statements.clauses import after, error_value, now, tx_now
from jobs.statements.media.library import SHOWN
from jobs.statements.media.library_removal import gone_values
from jobs.statements.media_events import with_media_events

BATCH = 500
LOOKED_AHEAD = 200
"""The oldest items that are due, among which those of different tenants take turns."""


def take_media(*, limit: int, lease_seconds: float) -> Update:
    """Take items that are due, one of each tenant first; returns their rows, with `deleted_at` and `attempt`."""
    due = (
        select(media.c.id, media.c.tenant, media.c.look_at)
        .where(media.c.look_at <= tx_now)
        .order_by(media.c.look_at)
        .limit(LOOKED_AHEAD)
        .with_for_update(skip_locked=True)
        .cte("due")
    )
    turn = func.row_number().over(partition_by=due.c.tenant, order_by=due.c.look_at)
    chosen = select(due.c.id).order_by(turn, due.c.look_at).limit(limit)
    return (
        update(media)
        .where(media.c.id.in_(chosen))
        .values(look_at=after(lease_seconds), attempt=media.c.attempt + 1)
        .returning(*SHOWN, media.c.attempt, media.c.deleted_at)
    )


def begin_try(media_id: str, attempt: int) -> Update:
    """Count a try at the file of an item, before it is opened: one may end the whole worker.

    Returns `tries`, or no row if the item was deleted or another worker has it.
    """
    counted = _taken(media_id, attempt).values(tries=media.c.tries + 1)
    return counted.returning(media.c.tries)


def saw_media(media_id: str, attempt: int, values: Mapping[str, Any], events: Sequence[str] = ()) -> Select[Any]:
    """Record what an item is, with the events of that; nothing is left to look at.

    Returns its id, or no row if it was deleted or lost.
    """
    return with_media_events(_taken(media_id, attempt).values({**values, "look_at": None, "updated_at": now}), events)


def fail_media(media_id: str, attempt: int, error: JobError, events: Sequence[str] = ()) -> Select[Any]:
    """Record why an item has no usable file; returns what `saw_media` does."""
    failed = {"status": "failed", "problem": error_value(error), "public_token": None}
    return with_media_events(_taken(media_id, attempt).values({**failed, "look_at": None, "updated_at": now}), events)


def look_later(media_id: str, attempt: int, seconds: float) -> Update:
    """Have an item looked at again in so many seconds, deleted or not."""
    return (
        update(media)
        .where(media.c.id == media_id, media.c.attempt == attempt, media.c.look_at.is_not(None))
        .values(look_at=after(seconds))
    )


def is_there(media_id: str) -> Select[Any]:
    """Return the id of an item unless it was deleted."""
    return select(media.c.id).where(media.c.id == media_id, media.c.deleted_at.is_(None))


def expire_media() -> Update:
    """Delete temporary items whose time is over, unless a job still waits for them; returns their ids."""
    waited_for = (
        select(inputs.c.name)
        .join(jobs, jobs.c.id == inputs.c.job_id)
        .where(inputs.c.source_key == media.c.key, inputs.c.status == "waiting", jobs.c.status == JobStatus.PENDING)
        .exists()
    )
    old = (
        select(media.c.id)
        .where(media.c.expires_at < tx_now, media.c.deleted_at.is_(None), ~waited_for)
        .limit(BATCH)
        .with_for_update(skip_locked=True)
    )
    return update(media).where(media.c.id.in_(old)).values(gone_values()).returning(media.c.id)


def kept_outputs(job_id: str) -> Select[Any]:
    """Return the items that are outputs of a job; their objects stay when the row of the job goes."""
    return select(*SHOWN).where(media.c.job_id == job_id, media.c.deleted_at.is_(None))


def _taken(media_id: str, attempt: int) -> Update:
    return update(media).where(media.c.id == media_id, media.c.attempt == attempt, media.c.deleted_at.is_(None))
