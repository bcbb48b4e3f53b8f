"""The circuit breaker of receivers' hosts. It is in the database because every CPU worker has to keep to it.

A host that has failed `failures` times in a row is left alone for a while that doubles with each further failure. Then
one delivery at a time may try it (`deliveries.take`), and the first answer closes the breaker.
"""

from typing import Any

from sqlalchemy import ColumnElement, Delete, Insert, case, delete, func, literal, or_
from sqlalchemy.dialects.postgresql import insert

from jobs.schema.tables import webhook_hosts
from jobs.statements.clauses import interval, now, tx_now

LONGEST = 6
"""How often the while doubles: with the usual 10 s it is 640 s in the end."""


def host_of(url: ColumnElement[str]) -> ColumnElement[str]:
    """Host and port of a URL; pattern matching would take eight times as long."""
    host = func.split_part(url, "/", 3)
    for end in ("?", "#"):
        host = func.split_part(host, end, 1)
    return func.lower(func.split_part(host, "@", -1))


def answered(url: str) -> Delete:
    """The host of `url` is well."""
    return delete(webhook_hosts).where(webhook_hosts.c.host == host_of(literal(url)))


def failed(url: str, *, failures: int, seconds: float) -> Insert:
    """The host of `url` has failed once more; after so many `failures` it is left alone, first for `seconds`.

    What was under way when it was left alone does not count: a while ends with one failure, not with four.
    """
    first = {"failures": literal(1), "open_until": _left_alone(literal(1), failures, seconds)}
    so_far = webhook_hosts.c.failures + 1
    return (
        insert(webhook_hosts)
        .values(host=host_of(literal(url)), **first)
        .on_conflict_do_update(
            index_elements=["host"],
            set_={"failures": so_far, "open_until": _left_alone(so_far, failures, seconds)},
            where=or_(webhook_hosts.c.open_until.is_(None), webhook_hosts.c.open_until < tx_now),
        )
    )


def _left_alone(so_far: ColumnElement[int], failures: int, seconds: float) -> ColumnElement[Any]:
    """Until when, after `so_far` failures in a row; null while they are not enough."""
    doubled = func.power(2.0, func.least(so_far - failures, LONGEST))
    until = now + doubled * interval(seconds)
    return case((so_far >= failures, until), else_=None)
