"""Statements of the CPU workers about analyses: items of the library of which something can be found out by jobs.

An item is taken for some minutes, as `analyze_at` then says. What is recorded names what was seen of the row: of two
workers that had it, one after the other, only the first changes it, and so only one makes a job.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Row, Select, Text, Update, func, literal, literal_column, null, or_, select, text, true, update
from sqlalchemy.dialects.postgresql import ARRAY

from jobs.job import JobStatus
from jobs.params.requests.origin import LIBRARY
from jobs.schema.tables import is_unanalyzed, jobs, media, tenants
from jobs.statements.clauses import after, ago, now, tx_now
from jobs.statements.groups import dialect_of
from jobs.statements.media.library import SHOWN, TEXTS, search_of
from jobs.statements.media_events import with_media_events

IN_FLIGHT = 4
"""Jobs of one tenant for analyses that have not ended: few, since they count among its unfinished ones."""
BATCH = 100


def take_item(*, lease_seconds: float) -> Update:
    """Take an item that is due, with what `SHOWN` has; no row where none is.

    One whose job may have ended comes first, then the newest of a tenant that has room for another job.
    """
    running = (
        select(media.c.id)
        .where(media.c.analysis_job.is_not(None), media.c.analyze_at <= tx_now)
        .order_by(media.c.analyze_at)
        .limit(1)
        .with_for_update(skip_locked=True)
        .cte("running")
    )
    in_flight = (
        select(func.count()).where(media.c.tenant == tenants.c.id, media.c.analysis_job.is_not(None)).scalar_subquery()
    )
    newest = (
        select(media.c.id, media.c.analyze_at)
        .where(media.c.tenant == tenants.c.id, text(is_unanalyzed), media.c.analyze_at <= tx_now)
        .order_by(media.c.analyze_at.desc())
        .limit(1)
        .lateral("newest")
    )
    fresh = (
        select(newest.c.id)
        .select_from(tenants.join(newest, true()))
        .where(tenants.c.paused_at.is_(None), in_flight < IN_FLIGHT, ~select(running).exists())
        .order_by(newest.c.analyze_at.desc())
        .limit(1)
        .cte("fresh")
    )
    chosen = or_(media.c.id.in_(select(running.c.id)), media.c.id.in_(select(fresh.c.id)))
    return (
        update(media)
        .where(chosen, media.c.analyze_at <= tx_now)  # again, on the row as another worker may have left it
        .values(analyze_at=after(lease_seconds))
        .returning(*SHOWN)
    )


def record(
    seen: Row[Any],
    values: Mapping[str, Any],
    *,
    analyzed: Sequence[str],
    job_id: str | None,
    seconds: float | None,
    events: Sequence[str] = (),
) -> Select[Any]:
    """Record what a job has found out, and the next job, with the events of that.

    Returns the item's id, or no row if it has changed.

    Texts that the item has got meanwhile stay. It is looked at again in so many seconds; None stands for never.
    """
    found: dict[str, Any] = {
        name: func.coalesce(media.c[name], literal(value, media.c[name].type)) if name in TEXTS else value
        for name, value in values.items()
    }
    texts = {name: value for name, value in found.items() if name in TEXTS}
    if texts:
        found |= {"search": search_of(texts, changes=True), "updated_at": now}
    change = (
        update(media)
        .where(
            media.c.id == seen.id,
            media.c.deleted_at.is_(None),
            media.c.analyzed == literal(list(seen.analyzed), ARRAY(Text)),
            media.c.analysis_job.is_not_distinct_from(seen.analysis_job),
        )
        .values(
            **found,
            analyzed=list(analyzed),
            analysis_job=job_id,
            analyze_at=null() if seconds is None else after(seconds),
        )
    )
    return with_media_events(change, events)


def look_later(media_id: str, seconds: float) -> Update:
    """Have an item looked at again in so many seconds."""
    return update(media).where(media.c.id == media_id).values(analyze_at=after(seconds))


def left_jobs(seconds: float) -> Select[Any]:
    """Return id and tenant of jobs for the library that completed longer ago, whose outputs are still there.

    What asked for one is gone: its item was deleted, or the process of the request ended.
    """
    own = (
        select(jobs.c.id)
        .where(
            jobs.c.tenant == tenants.c.id,
            dialect_of == literal_column(f"'{LIBRARY}'"),
            jobs.c.status == JobStatus.COMPLETED,
            jobs.c.deleted_at.is_(None),
            jobs.c.finished_at < ago(seconds),
        )
        .limit(BATCH)
        .lateral("own")
    )
    return select(own.c.id, tenants.c.id.label("tenant")).select_from(tenants.join(own, true())).limit(BATCH)
