"""Statements that make one delivery of those of a group's jobs: an endpoint of a dialect is sent to when all ended."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Select, Text, any_, bindparam, func, literal, select
from sqlalchemy.dialects.postgresql import ARRAY

from jobs.schema.tables import outbox


def lock_group(group: str, webhook_id: str) -> Select[Any]:
    """Lock the deliveries of a group to an endpoint to the end of the transaction: of two workers one decides first."""
    return select(func.pg_advisory_xact_lock(func.hashtextextended(literal(group + webhook_id), 0)))


def jobs_with_delivery(job_ids: Sequence[str], webhook_id: str) -> Select[Any]:
    """Return those of the jobs that have a delivery to an endpoint left, whatever became of it."""
    named = any_(bindparam("jobs", list(job_ids), ARRAY(Text)))
    return select(outbox.c.job_id).where(outbox.c.job_id == named, outbox.c.webhook_id == webhook_id)
