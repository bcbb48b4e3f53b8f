"""The lease of deliveries as a function of the database: its plan costs several times what the statement does."""

from functools import cache, lru_cache
from typing import Any

from sqlalchemy import Double, Integer, Select

from jobs.statements.table_function import TableFunction, table_function
from jobs.statements.webhooks.deliveries import take

KIND = "take_deliveries"


@cache
def take_function() -> TableFunction:
    """Return the function; its arguments are those of `take` that are not constants."""
    statement = take(limit=0, lease_seconds=0.0, breaker_failures=0)
    return table_function(KIND, statement, {"limit_": Integer(), "lease": Double(), "failures": Integer()})


@lru_cache(maxsize=256)
def call(*, limit: int, lease_seconds: float, breaker_failures: int) -> Select[Any]:
    """Lease due deliveries, as `take` does, by the function."""
    return take_function().call({"limit_": limit, "lease": lease_seconds, "failures": breaker_failures})
