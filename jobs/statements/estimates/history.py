"""How long the newest jobs of models took: a bounded number of rows, by the index of the ends of a model's jobs."""

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import (
    ARRAY,
    Double,
    Integer,
    Row,
    Select,
    Text,
    TextClause,
    bindparam,
    cast,
    extract,
    func,
    literal_column,
    select,
    text,
)

from jobs.job import JobStatus
from jobs.schema.tables import jobs, servers

NEWEST = 300
"""Jobs of a model that are read, the newest by their end."""
OF_PACE = 20
"""Jobs of each model that its pace follows from, as in the forecast of a job."""

_WORDS = "{prompt,negative_prompt,text,labels}"
"""Fields of the parameters that are not read, since they may be long."""
_COMPLETED = literal_column(f"'{JobStatus.COMPLETED}'", Text)  # in the words of the index


class EndedJob(msgspec.Struct, frozen=True, kw_only=True):
    """A completed job that was claimed once.

    `took` are the seconds from its claim to its end, of which `load_seconds` loaded the model; `intake` are those from
    the submit until its inputs were there. `device` is that of its server, None for one that was never registered here.
    `params` are the fields of its request without the texts, empty once the retention of prompts has removed them, and
    `characters` the length of its text.
    """

    took: float
    load_seconds: float
    intake: float
    device: str | None
    params: dict[str, Any]
    characters: int

    @property
    def run_seconds(self) -> float:
        """Seconds without the loading of the model."""
        return max(0.0, self.took - self.load_seconds)


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """The seconds within which half of a model's last jobs, and 95 % of them, were done after their claim."""

    model: str
    p50: float | None
    p95: float | None


def newest_jobs(model: str) -> Select[Any]:
    """Return the newest completed jobs of a model, for `ended_job`.

    Of those that were claimed several times the end of the loading is not known; they are left out after the limit,
    which bounds the reads.
    """
    recent = (
        select(
            jobs.c.fence,
            jobs.c.worker,
            _seconds(jobs.c.finished_at - jobs.c.started_at).label("took"),
            jobs.c.load_seconds,
            _seconds(jobs.c.queued_at - jobs.c.created_at).label("intake"),
            jobs.c.params.op("-")(literal_column(f"'{_WORDS}'::text[]")).label("params"),
            func.coalesce(func.length(jobs.c.params["text"].astext), 0).label("characters"),
        )
        .where(jobs.c.model == model, jobs.c.status == _COMPLETED)
        .order_by(jobs.c.finished_at.desc())
        .limit(NEWEST)
        .subquery("recent")
    )
    named = recent.outerjoin(servers, servers.c.server_id == recent.c.worker)
    return select(recent, servers.c.device).select_from(named).where(recent.c.fence == 1)


def ended_job(row: Row[Any]) -> EndedJob:
    """Return a row of `newest_jobs`."""
    return msgspec.convert(row._mapping, EndedJob)


def paces(models: Sequence[str]) -> TextClause:
    """Return the pace of each of the models, for `pace_of`; null for one of which no job has completed."""
    statement = f"""
    SELECT wanted.model, pace.seconds[1] AS p50, pace.seconds[2] AS p95
    FROM unnest(:models) AS wanted (model)
    CROSS JOIN LATERAL (
        SELECT percentile_cont(ARRAY[0.5, 0.95]) WITHIN GROUP (ORDER BY recent.took) AS seconds
        FROM (
            SELECT extract(epoch FROM finished_at - started_at)::double precision AS took FROM jobs
            WHERE jobs.model = wanted.model AND status = {_COMPLETED} ORDER BY finished_at DESC LIMIT :newest
        ) AS recent
    ) AS pace
    """
    return text(statement).bindparams(
        bindparam("models", list(models), ARRAY(Text)), bindparam("newest", OF_PACE, Integer)
    )


def pace_of(row: Row[Any]) -> Pace:
    """Return a row of `paces`."""
    return msgspec.convert(row._mapping, Pace)


def _seconds(span: Any) -> Any:
    return cast(func.greatest(extract("epoch", span), 0), Double)
