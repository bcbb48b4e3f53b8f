"""Statements about servers: a name has one living holder at a time, told apart by its incarnation."""

from collections.abc import Sequence
from typing import Any, Literal

import msgspec
from sqlalchemy import Insert, Select, Update, literal, select, update
from sqlalchemy.dialects.postgresql import JSONB, insert

from jobs.statements.clauses import after, moment, now
from jobs.tables import servers


class ResidentModel(msgspec.Struct, frozen=True, kw_only=True):
    """A model in a server's memory: bytes of its weights, on the device or parked in host memory."""

    id: str
    bytes: int
    where: Literal["device", "host"]
    pinned: bool = False


class ServerFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker says of itself at every heartbeat. Memory is bytes."""

    state: str
    device: str
    memory_total: int = 0
    memory_used: int = 0
    serves: Sequence[str] = ()
    resident: Sequence[str] = ()
    current_job: str | None = None
    dedicated: bool = False
    versions: dict[str, str] = {}


def _columns(facts: ServerFacts) -> dict[str, Any]:
    columns = msgspec.structs.asdict(facts)
    return columns | {
        "serves": list(facts.serves),
        "resident": list(facts.resident),
        "versions": literal(facts.versions, JSONB),
        "heartbeat_at": now,
    }


def register(server_id: str, facts: ServerFacts, *, lease_seconds: float) -> Insert:
    """Become the holder of a server's name; returns its incarnation and the database's time, or no row while
    another holder lives."""
    values = _columns(facts) | {"lease_until": after(lease_seconds), "started_at": now}
    return (
        insert(servers)
        .values(server_id=server_id, incarnation=1, **values)
        .on_conflict_do_update(
            index_elements=["server_id"],
            set_=values | {"incarnation": servers.c.incarnation + 1},
            where=servers.c.lease_until < moment,
        )
        .returning(servers.c.incarnation, now.label("now"))
    )


def heartbeat(server_id: str, incarnation: int, facts: ServerFacts, *, lease_seconds: float) -> Update:
    """Renew the lease; returns `desired` and the database's time, or no row once another holds the name."""
    return (
        update(servers)
        .where(servers.c.server_id == server_id, servers.c.incarnation == incarnation)
        .values(**_columns(facts), lease_until=after(lease_seconds))
        .returning(servers.c.desired, now.label("now"))
    )


def leave(server_id: str, incarnation: int) -> Update:
    """Give the name back at once."""
    return (
        update(servers)
        .where(servers.c.server_id == server_id, servers.c.incarnation == incarnation)
        .values(state="offline", lease_until=now, resident=[], current_job=None)
    )


def fleet() -> Select[Any]:
    """Every server ever registered, with the age of its heartbeat in seconds and whether its lease lives."""
    age = moment - servers.c.heartbeat_at
    return select(*servers.c, age.label("heartbeat_age"), (servers.c.lease_until > moment).label("alive")).order_by(
        servers.c.server_id
    )
