"""What a delivery needs when all goes well, as functions of the database: a plan costs several times what it does."""

from collections.abc import Mapping
from functools import cache, lru_cache
from typing import Any

from sqlalchemy import Double, Integer, Text, TextualSelect, Update
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeEngine

from jobs.schema.tables import outbox, webhook_receivers
from jobs.statements.table_function import TableFunction, table_function
from jobs.statements.webhooks import deliveries, receiver_breaker

KINDS = ("take_deliveries", "delivered")
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
    """Return the lease of deliveries with their subjects; its arguments are those of `deliveries.take`."""
    shortcut, statement = (
        deliveries.with_subjects(taken)
        for taken in (
            deliveries.take_only(lease_seconds=0.0),
            deliveries.take(limit=0, lease_seconds=0.0, breaker_failures=0),
        )
    )
    arguments: Mapping[str, TypeEngine[Any]] = {"limit_": Integer(), "lease": Double(), "failures": Integer()}
    return table_function(KINDS[0], statement, arguments, shortcut=shortcut)


@cache
def delivered_function() -> TableFunction:
    """Return the function of `delivered`."""
    return table_function(KINDS[1], delivered("", "", "", 0, answer=0, milliseconds=0), _DELIVERED)


@lru_cache(maxsize=256)
def call_take(*, limit: int, lease_seconds: float, breaker_failures: int) -> TextualSelect:
    """Lease due deliveries, as `deliveries.take` with `with_subjects` does, by the function."""
    return take_function().call({"limit_": limit, "lease": lease_seconds, "failures": breaker_failures})


def call_delivered(
    tenant: str, url: str, message_id: str, attempt: int, *, answer: int, milliseconds: int
) -> TextualSelect:
    """Do what `delivered` does by the function."""
    entry = deliveries.log_entry(attempt, answer, None, milliseconds)
    values = (message_id, attempt, answer, entry, milliseconds / 1000, tenant, url)
    return delivered_function().call(dict(zip(_DELIVERED, values, strict=True)))


def delivered(tenant: str, url: str, message_id: str, attempt: int, *, answer: int, milliseconds: int) -> Update:
    """End an attempt as `deliveries.delivered` does, and close the breaker of the receiver in the same statement."""
    closed = receiver_breaker.answered(tenant, url).returning(webhook_receivers.c.origin).cte("closed")
    ended = deliveries.delivered(message_id, attempt, answer=answer, milliseconds=milliseconds)
    return ended.returning(outbox.c.id).add_cte(closed)
