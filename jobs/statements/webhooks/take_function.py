"""The lease of deliveries as a function of the database, like the claim (`jobs.statements.queue.claim_function`).

Its plan costs several times what the statement itself does, and is made once per connection. The plan is a generic one
and stays while the outbox grows: each part reads the index that has its order, and what a planner prefers while a table
is small is switched off. Sorts and hash joins stay on: they are of what the statement has found by then.
"""

import hashlib
from collections.abc import Mapping
from functools import cache, lru_cache
from typing import Any

from sqlalchemy import Double, Integer, Select, bindparam, column, func, select
from sqlalchemy.dialects.postgresql import psycopg
from sqlalchemy.types import TypeEngine

from jobs.schema.tables import outbox
from jobs.statements.webhooks.deliveries import take

KIND = "take_deliveries"
PLANNING = {
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
    "enable_bitmapscan": "off",
    "jit": "off",
}
"""The settings under which the statement is planned and executed."""
ARGUMENTS: Mapping[str, TypeEngine[Any]] = {"limit_": Integer(), "lease": Double(), "failures": Integer()}
"""The parameters of `take`: the most that is leased, seconds of a lease, and failures that trip a breaker."""
_DIALECT = psycopg.dialect()  # type: ignore[no-untyped-call]


@cache
def take_body() -> str:
    """Return the statement, with its arguments as `$1`, `$2` and `$3`."""
    compiled = take(limit=0, lease_seconds=0.0, breaker_failures=0).compile(dialect=_DIALECT)
    places = {name: f"${number}" for number, name in enumerate(ARGUMENTS, start=1)}
    return str(compiled) % {name: places.get(name) or _constant(value) for name, value in compiled.params.items()}


@cache
def take_function() -> tuple[str, str]:
    """Return the name of the function, which has a digest of its text, and the SQL that makes it."""
    taken = ", ".join(_sql(type_) for type_ in ARGUMENTS.values())
    returned = ", ".join(f'"{field.name}" {_sql(field.type)}' for field in outbox.c)
    planning = " ".join(f"SET {name} = {value}" for name, value in PLANNING.items())
    rest = (
        f"({taken}) RETURNS TABLE ({returned})\nLANGUAGE plpgsql VOLATILE {planning} AS $function$\n"
        f"#variable_conflict use_column\nBEGIN\n    RETURN QUERY {take_body()};\nEND\n$function$"
    )
    name = f"{KIND}_{hashlib.sha256(rest.encode()).hexdigest()[:12]}"
    return name, f"CREATE OR REPLACE FUNCTION {name}{rest}"


@lru_cache(maxsize=256)
def call(*, limit: int, lease_seconds: float, breaker_failures: int) -> Select[Any]:
    """Lease due deliveries, as `take` does, by the function."""
    values = {"limit_": limit, "lease": lease_seconds, "failures": breaker_failures}
    given = (bindparam(name, values[name], type_) for name, type_ in ARGUMENTS.items())
    returned = (column(field.name, field.type) for field in outbox.c)
    return select(getattr(func, take_function()[0])(*given).table_valued(*returned, name="taken"))


def _sql(type_: Any) -> str:
    return str(type_.compile(_DIALECT))


def _constant(value: float | str | None) -> str:
    if value is None:
        return "NULL"
    return "'" + value.replace("'", "''") + "'" if isinstance(value, str) else str(value)
