"""What a delivery needs when all goes well, as functions of the database: a plan costs several times what it does."""

from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from typing import Any

from sqlalchemy import ARRAY, Double, Integer, Select, Text, Update
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeEngine

from jobs.schema.tables import outbox, webhook_receivers
from jobs.statements.table_function import TableFunction, table_function
from jobs.statements.webhooks import deliveries, receiver_breaker

KINDS = ("take_deliveries", "delivery_subjects", "delivered")
_DELIVERED: Mapping[str, TypeEngine[Any]] = {
    "a_message": Text(),
    "a_attempt": Integer(),
    "a_answer": Integer(),
    "a_entry": JSONB(),
    "a_seconds": Double(),
    "a_tenant": Text(),
    "a_url": Text(),
}


@cache
def take_function() -> TableFunction:
    """Return the lease of deliveries; its arguments are those of `deliveries.take` that are not constants."""
    statement = deliveries.take(limit=0, lease_seconds=0.0, breaker_failures=0)
    return table_function(KINDS[0], statement, {"limit_": Integer(), "lease": Double(), "failures": Integer()})


@cache
def subjects_function() -> TableFunction:
    """Return the function of `deliveries.subjects`."""
    return table_function(KINDS[1], deliveries.subjects(()), {"ids": ARRAY(Text)})


@cache
def delivered_function() -> TableFunction:
    """Return the function of `delivered`."""
    return table_function(KINDS[2], delivered("", "", "", 0, answer=0, milliseconds=0), _DELIVERED)


@lru_cache(maxsize=256)
def call_take(*, limit: int, lease_seconds: float, breaker_failures: int) -> Select[Any]:
    """Lease due deliveries, as `deliveries.take` does, by the function."""
    return take_function().call({"limit_": limit, "lease": lease_seconds, "failures": breaker_failures})


def call_subjects(ids: Sequence[str]) -> Select[Any]:
    """Return the subjects of deliveries, as `deliveries.subjects` does, by the function."""
    return subjects_function().call({"ids": list(ids)})


def call_delivered(
    tenant: str, url: str, message_id: str, attempt: int, *, answer: int, milliseconds: int
) -> Select[Any]:
    """Do what `delivered` does by the function."""
    entry = deliveries.log_entry(attempt, answer, None, milliseconds)
    values = (message_id, attempt, answer, entry, milliseconds / 1000, tenant, url)
    return delivered_function().call(dict(zip(_DELIVERED, values, strict=True)))


def delivered(tenant: str, url: str, message_id: str, attempt: int, *, answer: int, milliseconds: int) -> Update:
    """End an attempt as `deliveries.delivered` does, and close the breaker of the receiver in the same statement."""
    closed = receiver_breaker.answered(tenant, url).returning(webhook_receivers.c.origin).cte("closed")
    ended = deliveries.delivered(message_id, attempt, answer=answer, milliseconds=milliseconds)
    return ended.returning(outbox.c.id).add_cte(closed)
