"""The claim as a function of the database, so that its plan is made once per connection and not at every claim.

The plan costs several times what the claim itself does. A prepared statement would keep it as well, but PgBouncer in
transaction mode knows prepared statements only from version 1.21 on, and with a setting of its own.

The text of a function is the SQL of `claim` with its parameters as arguments. The name has a digest of the text (see
`jobs.statements.queue.functions`). A worker whose function is missing executes `claim` instead.

The plan is a generic one from the first call on, and stays while the queue grows from nothing to millions. So it is
the one for millions: each part of the claim reads the index that has its order (`jobs.statements.queue.scan`), and what
a planner prefers while a table is small, to read all of it and to sort, is switched off.
"""

import hashlib
from collections.abc import Mapping
from functools import cache, lru_cache
from typing import Any

import msgspec
from sqlalchemy import Select, bindparam, column, func, select
from sqlalchemy.dialects.postgresql import psycopg

from jobs.statements.queue.claim import ARGUMENTS, Claimant, arguments, claim

PLANNING = {
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
    "enable_bitmapscan": "off",
    "enable_sort": "off",
    "enable_incremental_sort": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "jit": "off",
}
"""The settings under which the statement is planned and executed."""
_DIALECT = psycopg.dialect()  # type: ignore[no-untyped-call]


class ClaimFunction(msgspec.Struct, frozen=True, kw_only=True):
    """A function of the database that claims a job."""

    name: str
    body: str
    """The statement, with its arguments as `$1`, `$2` and so on."""
    columns: Mapping[str, Any]
    """The SQLAlchemy type of each column that it returns, by name."""

    @property
    def arguments(self) -> list[str]:
        """The types of the arguments, in SQL."""
        return [_sql(type_) for type_ in ARGUMENTS.values()]

    @property
    def definition(self) -> str:
        """The SQL that makes the function."""
        taken = ", ".join(self.arguments)
        returned = ", ".join(f'"{name}" {_sql(type_)}' for name, type_ in self.columns.items())
        planning = " ".join(f"SET {name} = {value}" for name, value in PLANNING.items())
        return (
            f"CREATE OR REPLACE FUNCTION {self.name}({taken}) RETURNS TABLE ({returned})\n"
            f"LANGUAGE plpgsql VOLATILE ROWS 1 {planning} AS $function$\n"
            "#variable_conflict use_column\n"
            f"BEGIN\n    RETURN QUERY {self.body};\nEND\n$function$"
        )


@cache
def claim_function(*, dedicated: bool) -> ClaimFunction:
    """Return the function of servers that are, or are not, dedicated to jobs that ask for them."""
    statement = claim(Claimant(server_id="", incarnation=0, models=(), dedicated=dedicated), lease_seconds=0.0)
    compiled = statement.compile(dialect=_DIALECT)
    places = {name: f"${number}" for number, name in enumerate(ARGUMENTS, start=1)}
    body = str(compiled) % {name: places.get(name) or _constant(value) for name, value in compiled.params.items()}
    columns = {column.name: column.type for column in statement.selected_columns}
    unnamed = ClaimFunction(name="", body=body, columns=columns)
    return msgspec.structs.replace(
        unnamed, name=f"claim_{hashlib.sha256(unnamed.definition.encode()).hexdigest()[:12]}"
    )


@lru_cache(maxsize=8)
def call(claimant: Claimant, *, lease_seconds: float, warm_bound_seconds: float = 60.0) -> Select[Any]:
    """Claim the best job that this worker may run, as `claim` does, by the function."""
    function = claim_function(dedicated=claimant.dedicated)
    values = arguments(claimant, lease_seconds, warm_bound_seconds)
    given = (bindparam(name, values[name], type_) for name, type_ in ARGUMENTS.items())
    returned = (column(name, type_) for name, type_ in function.columns.items())
    return select(getattr(func, function.name)(*given).table_valued(*returned, name="claimed"))


def _sql(type_: Any) -> str:
    return str(type_.compile(_DIALECT))


def _constant(value: str | int | float) -> str:
    return "'" + value.replace("'", "''") + "'" if isinstance(value, str) else str(value)
