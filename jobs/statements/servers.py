"""Statements about servers: a name has one living holder at a time, identified by its incarnation."""

from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Insert, Select, Update, any_, case, exists, func, literal, or_, select, update
from sqlalchemy.dialects.postgresql import JSONB, insert

from jobs.job import WAITING
from jobs.schema.tables import jobs, servers, tenants
from jobs.statements.clauses import after, now, tx_now
from jobs.wire.servers import Desired, ServerFacts


def _columns(facts: ServerFacts) -> dict[str, Any]:
    columns = msgspec.structs.asdict(facts)
    return columns | {
        "serves": list(facts.serves),
        "resident": list(facts.resident),
        "models": literal(msgspec.to_builtins(facts.models), JSONB),
        "versions": literal(facts.versions, JSONB),
        "backend": literal(msgspec.to_builtins(facts.backend), JSONB(none_as_null=True)),
        "heartbeat_at": now,
        "removed_at": None,
    }


def register(server_id: str, facts: ServerFacts, *, lease_seconds: float) -> Insert:
    """Become the holder of a server's name; returns the incarnation and the database's time.

    No row while another holder lives. `loaded_at` is reset, since the new process has no model in memory.
    """
    values = _columns(facts) | {"lease_until": after(lease_seconds), "started_at": now, "loaded_at": None}
    return (
        insert(servers)
        .values(server_id=server_id, incarnation=1, **values)
        .on_conflict_do_update(
            index_elements=["server_id"],
            set_=values | {"incarnation": servers.c.incarnation + 1},
            where=servers.c.lease_until < tx_now,
        )
        .returning(servers.c.incarnation, now.label("now"))
    )


def heartbeat(server_id: str, incarnation: int, facts: ServerFacts, *, lease_seconds: float) -> Update:
    """Renew the lease; returns `desired` and the database's time, or no row after another has taken the name."""
    return (
        update(servers)
        .where(servers.c.server_id == server_id, servers.c.incarnation == incarnation)
        .values(**_columns(facts), lease_until=after(lease_seconds))
        .returning(servers.c.desired, now.label("now"))
    )


def leave(server_id: str, incarnation: int) -> Update:
    """Give up the name at once."""
    return (
        update(servers)
        .where(servers.c.server_id == server_id, servers.c.incarnation == incarnation)
        .values(state="offline", lease_until=now, resident=[], models=literal([], JSONB), current_job=None)
    )


def is_open_to(tenant: ColumnElement[str]) -> ColumnElement[bool]:
    """Return whether a server may have jobs of a tenant; a remote backend may not where the tenant's jobs stay here."""
    stays = exists().where(tenants.c.id == tenant, tenants.c.local_only).correlate_except(tenants)
    return or_(servers.c.backend.is_(None), ~stays)


def living() -> Select[Any]:
    """Return what the servers whose leases live serve, what they are and in which state."""
    c = servers.c
    shown = (c.server_id, c.serves, c.state, c.desired, c.dedicated, c.backend.is_not(None).label("remote"))
    return select(*shown).where(c.lease_until > tx_now, c.removed_at.is_(None))


def open_to(tenant: str) -> Select[Any]:
    """Return those of `living` that may have jobs of a tenant."""
    return living().where(is_open_to(literal(tenant)))


def serving(model: str, tenant: str) -> Select[Any]:
    """Return those of `open_to` that serve a model."""
    return open_to(tenant).where(literal(model) == any_(servers.c.serves))


def _seen() -> tuple[ColumnElement[Any], ...]:
    age = tx_now - servers.c.heartbeat_at
    return (*servers.c, age.label("heartbeat_age"), (servers.c.lease_until > tx_now).label("alive"))


def _known(server_id: str) -> tuple[ColumnElement[bool], ...]:
    return servers.c.server_id == server_id, servers.c.removed_at.is_(None)


def _pinned(server_id: str) -> tuple[ColumnElement[bool], ...]:
    """Return the condition of jobs that would wait for ever without this server; preferring it does not count."""
    return jobs.c.server_id == server_id, jobs.c.status.in_(WAITING), jobs.c.spill_at.is_(None)


def fleet(tenant: str | None = None) -> Select[Any]:
    """Return every server that was not removed, with the age of its heartbeat and whether its lease lives.

    With `tenant` only those that may have its jobs.
    """
    known = select(*_seen()).where(servers.c.removed_at.is_(None)).order_by(servers.c.server_id)
    return known if tenant is None else known.where(is_open_to(literal(tenant)))


def server(server_id: str) -> Select[Any]:
    """Return one server, as `fleet` does; no row for an unknown name."""
    return select(*_seen()).where(*_known(server_id))


def desire(server_id: str, desired: Desired) -> Update:
    """Set the desired state; returns the server as `fleet` does, or no row for an unknown name.

    A drained server is draining again until it reports itself that it has no job left.
    """
    again = case((servers.c.state == "drained", "draining"), else_=servers.c.state)
    state = again if desired == "draining" else servers.c.state
    return update(servers).where(*_known(server_id)).values(desired=desired, state=state).returning(*_seen())


def pinned_jobs(server_id: str) -> Select[Any]:
    """Return how many waiting jobs may run on this server only."""
    return select(func.count()).select_from(jobs).where(*_pinned(server_id))


def remove(server_id: str, *, force: bool) -> Update:
    """Hide a server that is offline; no row while it lives or, without `force`, while jobs wait for it.

    The row stays, since its incarnation has to go on rising: an old worker that wakes up must not pass for the name's
    next holder. A worker that registers or sends a heartbeat shows the name again.
    """
    wanted = exists().where(*_pinned(server_id))
    return (
        update(servers)
        .where(*_known(server_id), servers.c.lease_until < tx_now, or_(literal(force), ~wanted))
        .values(removed_at=now, desired="active")
        .returning(servers.c.server_id)
    )
