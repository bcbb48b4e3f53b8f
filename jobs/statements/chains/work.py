"""Statements of the CPU worker about chains: steps get their inputs, and chains end.

A chain is locked while one turn of a worker goes over it, so each of its jobs gets its inputs once: the inputs and the
mark on the step are one transaction.
"""

from typing import Any

import msgspec
from sqlalchemy import (
    CTE,
    Double,
    Executable,
    Select,
    Text,
    Update,
    any_,
    cast,
    delete,
    exists,
    extract,
    func,
    insert,
    literal,
    null,
    select,
    union_all,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB

from jobs.chains.chain import ChainState
from jobs.job import JobError, JobStatus
from jobs.params.requests.origin import NATIVE
from jobs.schema.tables import chain_steps, chains, jobs, outbox, webhooks
from jobs.statements.clauses import after, ago, now, tx_now
from jobs.statements.outbox import FRESH
from jobs.statements.webhooks.deliveries import open_

OLD_AT_ONCE = 20
SHORTEST, LONGEST = 0.5, 5.0
"""Seconds between two looks at a chain: a tenth of the time since its last change, within these bounds."""


def take_chain() -> Select[Any]:
    """Return a chain that is due, locked; none that another worker has."""
    due = select(*chains.c).where(chains.c.look_at <= tx_now).order_by(chains.c.look_at).limit(1)
    return due.with_for_update(skip_locked=True)


def look_again(chain_id: str, seconds: float | None = None, *, changed: bool = False) -> Update:
    """Have the chain looked at again in so many seconds, by default the later the longer nothing has `changed`."""
    since = cast(extract("epoch", now - chains.c.changed_at), Double)
    pause = func.least(func.greatest(since / 10, SHORTEST), LONGEST) if seconds is None else seconds
    values: dict[str, Any] = {"changed_at": now, "look_at": after(SHORTEST)} if changed else {"look_at": after(pause)}
    return update(chains).where(chains.c.id == chain_id).values(values)


def begin_job(job_id: str, *, deadline: float, start: float | None) -> Update:
    """Have the times of a job that waits for inputs counted from now, and return its row; no row once it has ended."""
    waits = jobs.c.id == job_id, jobs.c.status == JobStatus.PENDING, jobs.c.deleted_at.is_(None)
    earlier = deadline if start is None else min(start, deadline)
    values = {"deadline_at": after(earlier), "run_deadline_at": null() if start is None else after(deadline)}
    return update(jobs).where(*waits).values(values).returning(*jobs.c)


def mark_begun(chain_id: str, number: int) -> Update:
    """Mark a step whose job gets its inputs by this transaction."""
    step = chain_steps.c.chain == chain_id, chain_steps.c.number == number
    return update(chain_steps).where(*step).values(wait=null())


def end_chain(
    chain_id: str, status: ChainState, *, failed_step: str | None = None, error: JobError | None = None
) -> Select[Any]:
    """End a chain, and write its deliveries; returns its id, or no row once it has ended.

    One is to its callback, and one to each endpoint that has subscribed to this end of chains.
    """
    changed = (
        update(chains)
        .where(chains.c.id == chain_id, chains.c.ended_at.is_(None))
        .values(
            status=status,
            failed_step=failed_step,
            error=null() if error is None else literal(msgspec.to_builtins(error), JSONB),
            look_at=None,
            ended_at=now,
        )
        .returning(*chains.c)
        .cte("changed")
    )
    cleared = update(chain_steps).where(chain_steps.c.chain == changed.c.id).values(wait=null()).cte("cleared")
    return select(changed.c.id).add_cte(_deliveries(changed, f"chain.{status}"), cleared)


def _deliveries(changed: CTE, event: str) -> CTE:
    """Return the insert of the deliveries of a chain that has ended; their subject is the chain."""
    columns = ("id", "tenant", "job_id", "event_seq", "type", "url", "webhook_id")
    type_ = literal(event, Text)
    facts: Any = (FRESH, changed.c.tenant, changed.c.id, 1, type_)
    callback = select(*facts, changed.c.callback_url, cast(null(), Text)).where(changed.c.callback_url.is_not(None))
    endpoints = (
        select(*facts, webhooks.c.url, webhooks.c.id)
        .join_from(changed, webhooks, webhooks.c.tenant == changed.c.tenant)
        .where(webhooks.c.disabled_at.is_(None), webhooks.c.dialect == NATIVE, type_ == any_(webhooks.c.events))
    )
    return insert(outbox).from_select(columns, union_all(callback, endpoints)).returning(outbox.c.id).cte("sent")


def forget_chains(seconds: float) -> Executable:
    """Remove chains that ended longer ago, with their steps; one whose end is still to be delivered stays."""
    delivering = exists().where(outbox.c.job_id == chains.c.id, open_(outbox))
    old = select(chains.c.id).where(chains.c.ended_at < ago(seconds), ~delivering).limit(OLD_AT_ONCE)
    old = old.with_for_update(skip_locked=True)
    return delete(chains).where(chains.c.id.in_(old)).returning(chains.c.id)
