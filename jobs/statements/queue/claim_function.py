"""The claim as a function of the database, so that its plan is made once per connection and not at every claim.

The plan costs several times what the claim itself does. A prepared statement would keep it as well, but PgBouncer in
transaction mode knows prepared statements only from version 1.21 on, and with a setting of its own.

The text of a function is the SQL of `claim` with its parameters as arguments. The name has a digest of the text (see
`jobs.statements.queue.functions`). A worker whose function is missing executes `claim` instead.

The plan is a generic one from the first call on, and stays while the queue grows from nothing to millions. So it is
the one for millions: each part of the claim reads the index that has its order (`jobs.statements.queue.scan`), and what
a planner prefers while a table is small, to read all of it and to sort, is switched off.
"""

from functools import cache, lru_cache

from sqlalchemy import TextualSelect

from jobs.statements import table_function
from jobs.statements.queue.claim import Claimant, arguments, claim
from jobs.statements.table_function import TableFunction

PLANNING = table_function.PLANNING | {
    "enable_sort": "off",
    "enable_incremental_sort": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
}
"""The settings under which the statement is planned and executed."""


@cache
def claim_function(*, dedicated: bool, remote: bool = False) -> TableFunction:
    """Return the function of servers that are, or are not, dedicated to jobs that ask for them, or remote backends."""
    nothing = Claimant(server_id="", incarnation=0, models=(), dedicated=dedicated, remote=remote)
    return table_function.table_function("claim", claim(nothing, lease_seconds=0.0), nothing.argument_types, PLANNING)


@lru_cache(maxsize=8)
def call(claimant: Claimant, *, lease_seconds: float, warm_bound_seconds: float = 60.0) -> TextualSelect:
    """Claim the best job that this worker may run, as `claim` does, by the function."""
    values = arguments(claimant, lease_seconds, warm_bound_seconds)
    return claim_function(dedicated=claimant.dedicated, remote=claimant.remote).call(values)
