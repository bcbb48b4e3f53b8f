"""Statements about the jobs of one dialect, some of which it shows as one: they share the `group` of their origin.

A group is named like its first job, so one id finds both a job by itself and every job of a group.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Select,
    Text,
    any_,
    bindparam,
    exists,
    literal_column,
    not_,
    or_,
    select,
    tuple_,
)
from sqlalchemy.dialects.postgresql import ARRAY

from jobs.schema.tables import jobs
from jobs.statements.clauses import ago

group_of = literal_column("jobs.origin ->> 'group'", Text)
"""In the words of `ix_jobs_group`, so that a query uses it."""
dialect_of = literal_column("jobs.origin ->> 'dialect'", Text)
"""In the words of `ix_jobs_dialect`."""

body_of = literal_column("jobs.origin ->> 'body'", Text)


def find_grouped(first_id: str, tenant: str) -> Select[Any]:
    """Return the tenant's job of this id and those of its group, in the order of submit; none that are deleted."""
    return (
        select(*jobs.c)
        .where(jobs.c.tenant == tenant, jobs.c.deleted_at.is_(None), or_(jobs.c.id == first_id, group_of == first_id))
        .order_by(jobs.c.seq)
    )


def members(groups: Sequence[str], tenant: str) -> Select[Any]:
    """Return the jobs of several groups of a tenant, in the order of submit."""
    named = any_(bindparam("groups", list(groups), ARRAY(Text)))
    return (
        select(*jobs.c)
        .where(jobs.c.tenant == tenant, jobs.c.deleted_at.is_(None), group_of == named)
        .order_by(jobs.c.seq)
    )


def makers(job_ids: Collection[str], tenant: str) -> Select[Any]:
    """Return id, modality, `group` and `tool` of these jobs of a tenant."""
    tool = literal_column("jobs.origin ->> 'tool'", Text).label("tool")
    found = select(jobs.c.id, jobs.c.modality, group_of.label("group"), tool)
    return found.where(jobs.c.id.in_(job_ids), jobs.c.tenant == tenant, jobs.c.deleted_at.is_(None))


def dialect_page(tenant: str, dialect: str, *, limit: int, before: tuple[datetime, str] | None = None) -> Select[Any]:
    """Return a tenant's jobs of a dialect, newest first, of each group only the first job that is not deleted.

    `before` is the (created_at, id) of the last one already seen.
    """
    query = select(*jobs.c).where(
        jobs.c.tenant == tenant, jobs.c.deleted_at.is_(None), dialect_of == dialect, _leads_its_group()
    )
    if before is not None:
        query = query.where(tuple_(jobs.c.created_at, jobs.c.id) < tuple_(*before))
    return query.order_by(jobs.c.created_at.desc(), jobs.c.id.desc()).limit(limit)


def newest_of_body(tenant: str, body: str, seconds: float) -> Select[Any]:
    """Return the newest of a tenant's jobs of the last seconds whose origin has this hash of its request."""
    return (
        select(*jobs.c)
        .where(jobs.c.tenant == tenant, jobs.c.deleted_at.is_(None))
        .where(jobs.c.created_at > ago(seconds), body_of == body)
        .order_by(jobs.c.created_at.desc(), jobs.c.id.desc())
        .limit(1)
    )


def _leads_its_group() -> ColumnElement[bool]:
    """Return whether a job is in no group, or none before it is left of its group."""
    earlier = jobs.alias("earlier")
    before_it = exists().where(
        literal_column("earlier.origin ->> 'group'", Text) == group_of,
        earlier.c.deleted_at.is_(None),
        earlier.c.seq < jobs.c.seq,
    )
    return or_(group_of.is_(None), group_of == jobs.c.id, not_(before_it.select_from(earlier).correlate(jobs)))
