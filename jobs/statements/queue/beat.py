"""The beat: one statement with which a worker keeps its name, the claims that it holds and what is known of them.

A job whose row is locked, for example by a cancel that is not committed yet, holds nothing up: its lease is renewed by
a later beat.
"""

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import (
    BigInteger,
    Double,
    Select,
    Text,
    and_,
    case,
    column,
    exists,
    func,
    literal,
    select,
    tuple_,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB

from jobs.job import JobStatus
from jobs.schema.tables import jobs
from jobs.statements.clauses import after
from jobs.statements.servers import heartbeat
from jobs.wire.servers import ServerFacts


class HeldClaim(msgspec.Struct, frozen=True, kw_only=True):
    """A claim that a worker holds, under a name of its own, with the last report of its computing if there is one."""

    ticket: str
    job_id: str
    fence: int
    fraction: float | None = None
    """Progress from 0 to 1; None without a report."""
    stage: str | None = None
    warnings: tuple[str, ...] = ()


def beat(
    server_id: str,
    incarnation: int,
    facts: ServerFacts,
    claims: Sequence[HeldClaim],
    *,
    server_lease_seconds: float,
    lease_seconds: float,
) -> Select[Any]:
    """Renew the leases of a server and of its claims, and write their progress; `event_seq` rises where it is news.

    Returns `desired` and the database's time `now`; `kept`, the `event_seq` of each job whose lease was renewed; and
    `gone`, the claims that are over: both by ticket. No row, and no change, after another worker has taken the name.
    """
    server = heartbeat(server_id, incarnation, facts, lease_seconds=server_lease_seconds).cte("server")
    types = {"ticket": Text, "job_id": Text, "fence": BigInteger, "fraction": Double, "stage": Text, "warnings": JSONB}
    rows = func.jsonb_to_recordset(literal(msgspec.to_builtins(list(claims)), JSONB)).table_valued(
        *(column(name, type_) for name, type_ in types.items()), name="given"
    )
    given = select(rows.render_derived(with_types=True)).cte("given")
    is_held = and_(
        jobs.c.id == given.c.job_id,
        jobs.c.fence == given.c.fence,
        jobs.c.status == literal(JobStatus.PROCESSING.value),
    )
    free = (
        select(given)
        .join(jobs, is_held)
        .where(exists(select(server.c.desired)))
        .with_for_update(of=jobs, key_share=True, skip_locked=True)
        .cte("free")
    )
    shown = tuple_(jobs.c.progress, jobs.c.stage, jobs.c.warnings)
    reported = tuple_(free.c.fraction, free.c.stage, free.c.warnings)
    is_silent = free.c.fraction.is_(None)
    is_news = and_(~is_silent, shown.is_distinct_from(reported))
    renewed = (
        update(jobs)
        .where(jobs.c.id == free.c.job_id)
        .values(
            lease_until=after(lease_seconds),
            progress=func.coalesce(free.c.fraction, jobs.c.progress),
            stage=case((is_silent, jobs.c.stage), else_=free.c.stage),
            warnings=case((is_silent, jobs.c.warnings), else_=free.c.warnings),
            event_seq=jobs.c.event_seq + case((is_news, 1), else_=0),
        )
        .returning(free.c.ticket, jobs.c.event_seq)
        .cte("renewed")
    )
    kept = select(func.coalesce(func.jsonb_object_agg(renewed.c.ticket, renewed.c.event_seq), literal({}, JSONB)))
    gone = select(func.coalesce(func.jsonb_agg(given.c.ticket), literal([], JSONB))).where(
        ~exists(select(jobs.c.id).where(is_held).correlate(given))
    )
    return select(
        server.c.desired,
        server.c.now,
        kept.scalar_subquery().label("kept"),
        gone.scalar_subquery().label("gone"),
    )
