"""Statements about batches, of their owner."""

from datetime import datetime
from typing import Any

from sqlalchemy import Insert, Select, Update, case, func, insert, literal, select, tuple_, update

from jobs.schema.tables import batch_lines, batches
from jobs.statements.clauses import after, ago, now


def add_batch(batch_id: str, tenant: str, *, expires_seconds: float, **values: Any) -> Insert:
    """Add a batch, and return its row. Its lines follow in the same transaction."""
    added = insert(batches).values(id=batch_id, tenant=tenant, expires_at=after(expires_seconds), **values)
    return added.returning(*batches.c)


def add_lines() -> Insert:
    """Add lines, one for each set of parameters, which have every column."""
    return insert(batch_lines)


def find_batch(batch_id: str, tenant: str) -> Select[Any]:
    """Return the tenant's batch of this id, with the lines that are counted now."""
    return _counted(select(*_columns()).where(batches.c.id == batch_id, batches.c.tenant == tenant))


def list_batches(tenant: str, *, limit: int, after_batch: tuple[datetime, str] | None) -> Select[Any]:
    """Return a tenant's batches, newest first; `after_batch` is (created_at, id) of the last seen."""
    query = select(*_columns()).where(batches.c.tenant == tenant)
    if after_batch is not None:
        query = query.where(tuple_(batches.c.created_at, batches.c.id) < tuple_(*after_batch))
    return _counted(query.order_by(batches.c.created_at.desc(), batches.c.id.desc()).limit(limit))


def newest_batch_of_body(tenant: str, body: str, seconds: float) -> Select[Any]:
    """Return the id of the newest of a tenant's batches of the last seconds that has this hash of its request."""
    return (
        select(batches.c.id)
        .where(batches.c.tenant == tenant, batches.c.created_at > ago(seconds), batches.c.body == body)
        .order_by(batches.c.created_at.desc(), batches.c.id.desc())
        .limit(1)
    )


def cancel_batch(batch_id: str, tenant: str) -> Update:
    """Have a batch that is in progress cancelled; a CPU worker does it."""
    return (
        update(batches)
        .where(batches.c.id == batch_id, batches.c.tenant == tenant, batches.c.status == "in_progress")
        .values(status="cancelling", cancelling_at=now, look_at=now)
    )


def _columns() -> list[Any]:
    return [column for column in batches.c if column.name not in ("completed", "failed")]


def _counted(found: Select[Any]) -> Select[Any]:
    """Add the numbers of lines that are completed and failed, which a batch that has ended has in its row."""
    lines = (
        select(*(func.count().filter(batch_lines.c.status == state).label(state) for state in ("completed", "failed")))
        .where(batch_lines.c.batch == batches.c.id)
        .lateral("lines")
    )
    ended = batches.c.ended_at.is_not(None)
    return found.add_columns(
        *(case((ended, batches.c[state]), else_=lines.c[state]).label(state) for state in ("completed", "failed"))
    ).join(lines, literal(True))
