"""The outputs of jobs that a worker of before the media library has completed, as items of it."""

from datetime import datetime
from typing import Any

from sqlalchemy import Boolean, ColumnElement, Select, cast, func, literal, literal_column, select, text, true
from sqlalchemy.dialects.postgresql import JSONPATH

from jobs.media import TEMPORARY_SECONDS
from jobs.schema.tables import Time, has_outputs, jobs, media, tenants
from jobs.statements.clauses import ago, interval
from jobs.statements.kept_outputs import insert_outputs, is_kept

BATCH = 200
"""Jobs whose outputs are added by one statement."""
FIRST_SECONDS = 86_400.0
"""How far back the first look goes: workers are replaced within a day of the migration."""
SLICE_SECONDS = 600.0
"""Jobs that ended within so long are looked through by one statement."""
SETTLED_SECONDS = 60.0
"""A job that ended later ago is visible, whichever transaction completed it."""
REMOVED = "$[*].metadata.removed ? (@ == true)"
"""A mark in the artifacts of a job whose item was deleted: the library has had it."""


def adopt_outputs(since: datetime | None) -> Select[Any]:
    """Add the outputs of jobs that ended within `SLICE_SECONDS` of `since` and have no item, once.

    Returns `until`, where the next look begins, and `jobs`, the number of these: of `BATCH` there may be more. A look
    without `since` begins with the first job of the last `FIRST_SECONDS`. An item that was deleted does not come back.
    """
    begin = _first_end() if since is None else literal(since, Time)
    until = func.least(begin + interval(SLICE_SECONDS), ago(SETTLED_SECONDS))
    temporary = func.coalesce(cast(jobs.c.origin["temporary"].astext, Boolean), literal_column("false"))
    own = (
        select(jobs)
        .where(
            jobs.c.tenant == tenants.c.id,
            text(has_outputs),
            jobs.c.finished_at >= begin,
            jobs.c.finished_at < until,
            jobs.c.deleted_at.is_(None),
            is_kept(jobs.c.origin),
            ~jobs.c.artifacts.path_exists(cast(literal(REMOVED), JSONPATH)),
            ~temporary | (jobs.c.finished_at > ago(TEMPORARY_SECONDS / 2)),  # of an ended one nothing is noted
            ~select(literal_column("1")).where(media.c.job_id == jobs.c.id).correlate(jobs).exists(),
        )
        .order_by(jobs.c.finished_at)
        .limit(BATCH)
        .correlate(tenants)
        .lateral("own")
    )
    found = select(own).select_from(tenants.join(own, true())).limit(BATCH).cte("found")
    adopted = insert_outputs(found).on_conflict_do_nothing().returning(media.c.job_id).cte("adopted")
    number = select(func.count(adopted.c.job_id.distinct())).scalar_subquery()
    return select(until.label("until"), number.label("jobs"))


def _first_end() -> ColumnElement[datetime]:
    """Return when the first job with outputs of the last `FIRST_SECONDS` ended: an idle service has hours without."""
    own = (
        select(jobs.c.finished_at)
        .where(jobs.c.tenant == tenants.c.id, text(has_outputs), jobs.c.finished_at >= ago(FIRST_SECONDS))
        .order_by(jobs.c.finished_at)
        .limit(1)
        .correlate(tenants)
        .lateral("own_first")
    )
    first = select(func.min(own.c.finished_at)).select_from(tenants.join(own, true())).correlate(None)
    return func.coalesce(first.scalar_subquery(), ago(SETTLED_SECONDS))
