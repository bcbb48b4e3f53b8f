"""Statements about chains, of their owner."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Insert, Select, Text, Update, any_, bindparam, insert, literal_column, select, tuple_, update
from sqlalchemy.dialects.postgresql import ARRAY

from jobs.chains.chain import ChainStep
from jobs.params.requests.origin import Origin
from jobs.schema.tables import chain_steps, chains
from jobs.statements.clauses import after, now

FIRST_LOOK_SECONDS = 0.5
_dialect = literal_column("chains.origin ->> 'dialect'", Text)


def add_chain(chain_id: str, tenant: str, *, callback_url: str | None, origin: Origin) -> Insert:
    """Add a chain, and return its row. Its jobs and its steps are added in the same transaction."""
    values: dict[str, Any] = {"status": "running", "callback_url": callback_url, "origin": msgspec.to_builtins(origin)}
    added = insert(chains).values(id=chain_id, tenant=tenant, look_at=after(FIRST_LOOK_SECONDS), **values)
    return added.returning(*chains.c)


def add_steps(steps: Sequence[ChainStep]) -> Insert:
    """Add the steps of a chain."""
    return insert(chain_steps).values([msgspec.to_builtins(step) for step in steps])


def find_chain(chain_id: str, tenant: str) -> Select[Any]:
    """Return the tenant's chain of this id."""
    return select(*chains.c).where(chains.c.id == chain_id, chains.c.tenant == tenant)


def list_chains(
    tenant: str, *, limit: int, dialect: str | None = None, before: tuple[datetime, str] | None = None
) -> Select[Any]:
    """Return a tenant's chains, newest first, of a dialect those alone; `before` is (created_at, id) of the last."""
    query = select(*chains.c).where(chains.c.tenant == tenant)
    if dialect is not None:
        query = query.where(_dialect == dialect)
    if before is not None:
        query = query.where(tuple_(chains.c.created_at, chains.c.id) < tuple_(*before))
    return query.order_by(chains.c.created_at.desc(), chains.c.id.desc()).limit(limit)


def steps_of(chain_ids: Collection[str]) -> Select[Any]:
    """Return the steps of chains, in their order."""
    named = any_(bindparam("chain_ids", list(chain_ids), ARRAY(Text)))
    return (
        select(*chain_steps.c).where(chain_steps.c.chain == named).order_by(chain_steps.c.chain, chain_steps.c.number)
    )


def cancel_chain(chain_id: str, tenant: str) -> Update:
    """Have a chain cancelled that runs: no further step gets its inputs. A CPU worker ends it, or the caller."""
    own = chains.c.id == chain_id, chains.c.tenant == tenant, chains.c.status == "running"
    return update(chains).where(*own).values(status="cancelling", look_at=now).returning(chains.c.id)
