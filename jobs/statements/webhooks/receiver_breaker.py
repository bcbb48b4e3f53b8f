"""The circuit breaker of receivers' hosts, in the database because all CPU workers share it.

It opens for a host after `failures` failures in a row, for a period that doubles with each further failure. After the
period one delivery at a time may try the host (`deliveries.take`), and the first answer closes the breaker.
"""

from typing import Any

from sqlalchemy import ColumnElement, Delete, Insert, case, delete, func, literal, or_
from sqlalchemy.dialects.postgresql import insert

from jobs.schema.tables import webhook_hosts
from jobs.statements.clauses import interval, now, tx_now

LONGEST = 6
"""How often the period doubles: with the default of 10 s it is 640 s in the end."""


def host_of(url: ColumnElement[str]) -> ColumnElement[str]:
    """Return host and port of a URL; pattern matching would take eight times as long."""
    host = func.split_part(url, "/", 3)
    for end in ("?", "#"):
        host = func.split_part(host, end, 1)
    return func.lower(func.split_part(host, "@", -1))


def answered(url: str) -> Delete:
    """Close the breaker for the host of `url`, after an answer."""
    return delete(webhook_hosts).where(webhook_hosts.c.host == host_of(literal(url)))


def failed(url: str, *, failures: int, seconds: float) -> Insert:
    """Count a failure of the host of `url`; after `failures` of them the breaker opens, first for `seconds`.

    A delivery that was under way when the breaker opened does not count, else one period would count several times.
    """
    first = {"failures": literal(1), "open_until": _open_until(literal(1), failures, seconds)}
    so_far = webhook_hosts.c.failures + 1
    return (
        insert(webhook_hosts)
        .values(host=host_of(literal(url)), **first)
        .on_conflict_do_update(
            index_elements=["host"],
            set_={"failures": so_far, "open_until": _open_until(so_far, failures, seconds)},
            where=or_(webhook_hosts.c.open_until.is_(None), webhook_hosts.c.open_until < tx_now),
        )
    )


def _open_until(so_far: ColumnElement[int], failures: int, seconds: float) -> ColumnElement[Any]:
    """Return the end of the period after `so_far` failures in a row; null while they are too few."""
    doubled = func.power(2.0, func.least(so_far - failures, LONGEST))
    until = now + doubled * interval(seconds)
    return case((so_far >= failures, until), else_=None)
