"""The circuit breaker of receivers, in the database because all CPU workers share it.

A receiver is what one tenant sends to at one origin (scheme, host and port), so that a wrong path of one tenant, or a
closed port, stops no other deliveries. The breaker opens after `failures` failures in a row, for a period that doubles
with each further failure. After the period one delivery at a time may try the receiver (`deliveries.take`), and the
first answer closes the breaker.
"""

from typing import Any

from sqlalchemy import ColumnElement, Delete, Insert, Text, bindparam, case, delete, func, literal, or_
from sqlalchemy.dialects.postgresql import insert

from jobs.schema.tables import webhook_hosts, webhook_receivers
from jobs.statements.clauses import ago, interval, now, tx_now

LONGEST = 6
"""How often the period doubles: with the default of 10 s it is 640 s in the end."""
FORGET_SECONDS = 86_400.0
"""How long the failures of a receiver are remembered after the last one."""


def origin_of(url: ColumnElement[str]) -> ColumnElement[str]:
    """Return the origin of a URL, `scheme://host:port`."""
    return func.webhook_origin(url)


def answered(tenant: str, url: str) -> Delete:
    """Close the breaker of a tenant's receiver at `url`, after an answer."""
    receivers = webhook_receivers.c
    return delete(webhook_receivers).where(
        receivers.tenant == bindparam("a_tenant", tenant, Text),
        receivers.origin == origin_of(bindparam("a_url", url, Text)),
    )


def failed(tenant: str, url: str, *, failures: int, seconds: float) -> Insert:
    """Count a failure of a tenant's receiver at `url`; after `failures` of them its breaker opens, first for `seconds`.

    A delivery that was under way when the breaker opened does not count, else one period would count several times.
    """
    so_far, receivers = webhook_receivers.c.failures + 1, webhook_receivers.c
    return (
        insert(webhook_receivers)
        .values(
            tenant=tenant,
            origin=origin_of(literal(url)),
            failures=1,
            failed_at=now,
            open_until=_open_until(literal(1), failures, seconds),
        )
        .on_conflict_do_update(
            index_elements=["tenant", "origin"],
            set_={"failures": so_far, "failed_at": now, "open_until": _open_until(so_far, failures, seconds)},
            where=or_(receivers.open_until.is_(None), receivers.open_until < tx_now),
        )
    )


def forget_receivers() -> Delete:
    """Remove receivers that have not failed for a day: their deliveries were given up, or their breaker would be here.

    A name that a caller makes up for one job leaves a row, which no answer will ever remove.
    """
    return delete(webhook_receivers).where(webhook_receivers.c.failed_at < ago(FORGET_SECONDS))


def forget_hosts() -> Delete:
    """Remove the breakers that workers of the version before have left, except those that are in use."""
    open_until = webhook_hosts.c.open_until
    return delete(webhook_hosts).where(or_(open_until.is_(None), open_until < ago(FORGET_SECONDS)))


def _open_until(so_far: ColumnElement[int], failures: int, seconds: float) -> ColumnElement[Any]:
    """Return the end of the period after `so_far` failures in a row; null while they are too few."""
    doubled = func.power(2.0, func.least(so_far - failures, LONGEST))
    until = now + doubled * interval(seconds)
    return case((so_far >= failures, until), else_=None)
