"""Statements of usage: the jobs that have ended, added up by five minutes, tenant, key, model and server.

A CPU worker adds the last buckets up again and again, from the jobs themselves: a repeat changes nothing. What is old
is folded into hours, and what is very old is removed. Reading usage never reads jobs.
"""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Interval, Select, TextClause, cast, func, literal, literal_column, select, text

from core.metrics import WAIT_BUCKETS
from jobs.schema.tables import usage

STEP, OLD_STEP = 300, 3600
"""Seconds of a bucket, and of one that is old."""
OLD_DAYS, KEPT_DAYS = 14, 400
BINS = len(WAIT_BUCKETS) + 1
"""Counts of a histogram: up to each bound, and above the last."""
BY = {"tenant": usage.c.tenant, "key": usage.c.key_id, "model": usage.c.model, "server": usage.c.server}
"""What usage can be grouped by."""
SUMS = ("completed", "failed", "cancelled", "gpu_seconds", "load_seconds", "cost")

_EPOCH = "'epoch'::timestamptz"
_BOUNDS = f"ARRAY[{', '.join(str(bound) for bound in WAIT_BUCKETS)}]::double precision[]"
_KEY = "bucket, step, tenant, key_id, model, server"
_VALUES = "completed, failed, cancelled, gpu_seconds, load_seconds, cost, wait, run"


def _histogram(seconds: str, condition: str = "true") -> str:
    """Return the SQL of the counts of `BINS` by a number of seconds; null counts nowhere."""
    at = f"width_bucket({seconds}, {_BOUNDS})"
    return "ARRAY[" + ", ".join(f"count(*) FILTER (WHERE {condition} AND {at} = {n})" for n in range(BINS)) + "]"


def _added(column: str) -> str:
    """Return the SQL of the sums of a histogram's counts."""
    return "ARRAY[" + ", ".join(f"sum({column}[{n}])" for n in range(1, BINS + 1)) + "]::bigint[]"


ROLL_UP = f"""
WITH last AS MATERIALIZED (SELECT max(bucket) AS bucket FROM usage WHERE step = {STEP}),
span AS MATERIALIZED (
    -- Two closed buckets again, for what was committed late. After an outage, from the first job that is not in yet.
    SELECT date_bin('{STEP} s', least(now() - interval '{2 * STEP} s', (
        SELECT finished_at FROM jobs
        WHERE finished_at >= greatest(
            now() - interval '{KEPT_DAYS} days',
            (SELECT bucket + interval '{STEP} s' FROM last),
            (SELECT max(bucket) + interval '{OLD_STEP} s' FROM usage WHERE step = {OLD_STEP})
        )
        ORDER BY finished_at LIMIT 1
    )), {_EPOCH}) AS since
)
INSERT INTO usage ({_KEY}, {_VALUES})
SELECT date_bin('{STEP} s', finished_at, {_EPOCH}), {STEP}, tenant, coalesce(key_id, ''), model, coalesce(worker, ''),
    count(*) FILTER (WHERE status = 'completed'), count(*) FILTER (WHERE status = 'failed'),
    count(*) FILTER (WHERE status = 'cancelled'),
    -- Rounded, so that a repeat, which adds in another order, gives the same.
    round(sum(gpu_seconds)::numeric, 3), round(sum(load_seconds)::numeric, 3), sum(cost),
    {_histogram("extract(epoch FROM started_at - queued_at)::double precision")},
    {_histogram("extract(epoch FROM finished_at - started_at)::double precision", "status = 'completed'")}
FROM jobs
WHERE finished_at >= (SELECT since FROM span) AND finished_at < (SELECT since + interval '1 day' FROM span)
    -- The last bucket, which may have been open when the last CPU worker ended.
    OR finished_at >= (SELECT bucket FROM last) AND finished_at < (SELECT bucket + interval '{STEP} s' FROM last)
GROUP BY 1, 3, 4, 5, 6
ON CONFLICT ({_KEY}) DO UPDATE SET
    ({_VALUES}) = (
        excluded.completed, excluded.failed, excluded.cancelled, excluded.gpu_seconds, excluded.load_seconds,
        excluded.cost, excluded.wait, excluded.run
    )
-- Not by fewer jobs than before: rows of jobs are removed when their owner deletes them.
WHERE excluded.completed + excluded.failed + excluded.cancelled >= usage.completed + usage.failed + usage.cancelled
    AND (excluded.completed, excluded.failed, excluded.cancelled, excluded.gpu_seconds, excluded.load_seconds)
        IS DISTINCT FROM (usage.completed, usage.failed, usage.cancelled, usage.gpu_seconds, usage.load_seconds)
RETURNING bucket < now() - interval '1 hour'
"""
FOLD = f"""
WITH old AS (
    DELETE FROM usage WHERE step = {STEP}
        AND bucket < date_bin('{OLD_STEP} s', now() - interval '{OLD_DAYS} days', {_EPOCH})
    RETURNING *
)
INSERT INTO usage ({_KEY}, {_VALUES})
SELECT date_bin('{OLD_STEP} s', bucket, {_EPOCH}), {OLD_STEP}, tenant, key_id, model, server,
    sum(completed), sum(failed), sum(cancelled), sum(gpu_seconds), sum(load_seconds), sum(cost),
    {_added("wait")}, {_added("run")}
FROM old GROUP BY 1, 3, 4, 5, 6
ON CONFLICT ({_KEY}) DO NOTHING
"""


def roll_up() -> TextClause:
    """Add up the jobs that have ended in the last buckets; after an outage, a day of what is missing.

    Returns a row for each changed bucket, and whether it is an old one: then more may be missing.
    """
    return text(ROLL_UP)


def fold() -> TextClause:
    """Fold buckets of before `OLD_DAYS` into hours; whole hours at once, so none is folded twice."""
    return text(FOLD)


def forget() -> TextClause:
    """Remove what is older than `KEPT_DAYS`."""
    return text(f"DELETE FROM usage WHERE bucket < now() - interval '{KEPT_DAYS} days'")


def usage_of(
    tenant: str | None, *, since: datetime, until: datetime, step: int | None, by: Collection[str], limit: int
) -> Select[Any]:
    """Return sums of `SUMS` and the counts of both histograms, by steps of so many seconds and by each of `BY`.

    None stands for all tenants, and for the whole time at once. `bucket` is the beginning of a step, null then.
    """
    width = cast(literal(f"{step} s"), Interval)
    epoch = text(_EPOCH)
    start: ColumnElement[Any] = literal(None) if step is None else func.date_bin(width, usage.c.bucket, epoch)
    groups = [BY[name].label(name) for name in BY if name in by]
    if step is not None:
        groups.insert(0, start.label("bucket"))
    sums = [cast(func.sum(usage.c[name]), usage.c[name].type).label(name) for name in SUMS]
    query = select(*groups, *sums, *(literal_column(_added(name)).label(name) for name in ("wait", "run")))
    query = query.where(usage.c.bucket >= since, usage.c.bucket < until)
    if tenant is not None:
        query = query.where(usage.c.tenant == tenant)
    places = [text(str(place)) for place in range(1, len(groups) + 1)]
    grouped = query.group_by(*places).order_by(*places) if groups else query
    return grouped.having(func.count() > 0).limit(limit)  # without groups there is a row of nothing, too
