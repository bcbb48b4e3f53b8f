"""Looking at jobs: a caller's key, its job and the job's forecast in one statement, for a poll and for followers.

A key that is revoked gives no row. The id of another tenant's job, of a deleted one and of none at all give the same
row, without a job.
"""

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import ARRAY, Boolean, Row, Text, TextClause, bindparam, text

from jobs.job import Job, job_from_row
from jobs.schema.tables import jobs
from jobs.statements.queue.forecast import NAME, Forecast


class FollowedJob(msgspec.Struct, frozen=True):
    """A job, and the key on whose behalf it is followed."""

    job_id: str
    key_id: str


class JobView(msgspec.Struct, frozen=True):
    """A job as its owner sees it: the row and its forecast, of the same moment."""

    job: Job
    forecast: Forecast = Forecast()


_VIEW = f"""
    {", ".join(f"jobs.{column.name}" for column in jobs.c)},
    forecast.ahead, forecast.reason, forecast.seconds, forecast.servers,
    (SELECT budget_usd - spent_usd FROM tenants WHERE tenants.id = api_keys.tenant) AS balance"""
_FORECAST = f"LEFT JOIN LATERAL {NAME}(jobs, :counted) AS forecast ON true"
_OWN = "jobs.tenant = api_keys.tenant AND jobs.deleted_at IS NULL"

# Text, since SQLAlchemy would take longer to build the statement than PostgreSQL to execute it.
_LOOK = text(f"""
    SELECT api_keys.id AS key_id, api_keys.tenant AS key_tenant, digest AS key_digest, priority_ceiling, scopes,
        {_VIEW}
    FROM api_keys
    LEFT JOIN jobs ON jobs.id = :job_id AND {_OWN}
    {_FORECAST}
    WHERE api_keys.digest = ANY(:digests) AND api_keys.revoked_at IS NULL
""").bindparams(bindparam("digests", type_=ARRAY(Text)), bindparam("counted", True))

_LOOK_AGAIN = text(f"""
    SELECT asked.job_id AS followed_id, asked.key_id, {_VIEW}
    FROM unnest(:job_ids, :key_ids) AS asked (job_id, key_id)
    JOIN api_keys ON api_keys.id = asked.key_id AND api_keys.revoked_at IS NULL
    LEFT JOIN jobs ON jobs.id = asked.job_id AND {_OWN}
    {_FORECAST}
""").bindparams(
    bindparam("job_ids", type_=ARRAY(Text)),
    bindparam("key_ids", type_=ARRAY(Text)),
    bindparam("counted", type_=Boolean),
)


def look(digests: Sequence[str], job_id: str) -> TextClause:
    """Return the key with one of these digests, unless it is revoked, and its tenant's job with this id, if any.

    Columns of the key: `key_id`, `key_tenant`, `key_digest`, `priority_ceiling`, `scopes`; `view_of_row` reads others.
    """
    return _LOOK.bindparams(digests=list(digests), job_id=job_id)


def look_again(followed: Sequence[FollowedJob], *, counted: bool) -> TextClause:
    """Return the jobs of followers whose key is still valid. Columns: `followed_id`, `key_id`, and those of the view.

    `counted` says whether the jobs ahead of each are counted; `places` of this folder does that for many at once.
    """
    return _LOOK_AGAIN.bindparams(
        job_ids=[one.job_id for one in followed], key_ids=[one.key_id for one in followed], counted=counted
    )


def view_of_row(row: Row[Any]) -> JobView | None:
    """Return the view of a row of `look` or `look_again`; None without a job."""
    if row.id is None:
        return None
    return JobView(job_from_row(row), msgspec.convert(row._mapping, Forecast))
