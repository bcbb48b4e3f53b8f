"""Whose a model's jobs are: of the servers of this installation, or of which of its remote backends."""

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from sqlalchemy import Engine, Row

from core.database import set_statement_timeout
from jobs.job import JobBackend
from jobs.statements.servers import living
from pipelines.catalog.backends import LOCAL, SERVER_PREFIX
from pipelines.catalog.spec import ModelSpec

TAKES = ("idle", "busy")
"""The states of a server that takes jobs."""


class LivingServer(msgspec.Struct, frozen=True, kw_only=True):
    """A server whose lease lives; `remote` is one that stands for a remote backend."""

    server_id: str
    serves: tuple[str, ...]
    state: str
    desired: str = "active"
    dedicated: bool = False
    remote: bool = False

    def takes(self, model: str) -> bool:
        """Return whether it takes jobs of a model that ask for no server."""
        return self.desired == "active" and self.state in TAKES and not self.dedicated and model in self.serves


class BackendTurn(msgspec.Struct, frozen=True, kw_only=True):
    """What one of a model's order may take of its jobs, and what they note of it.

    Those that have waited for `waited_seconds`; None stands for only those that ask for it.
    """

    model: str
    waited_seconds: float | None
    noted: JobBackend


def read_living(db: Engine, seconds: float = 2.0) -> list[LivingServer]:
    """Return the servers whose leases live, within so many seconds. Raises what the database raises."""
    with db.begin() as connection:
        connection.execute(set_statement_timeout(seconds))
        return [_server(row) for row in connection.execute(living())]


def turn(spec: ModelSpec, name: str, kind: str, servers: Sequence[LivingServer]) -> BackendTurn:
    """Return the turn of one of a model's order at the jobs of the model, as the living servers have it."""
    earlier = spec.order[: spec.order.index(name)]
    place = spec.place_of(name)
    waited: float | None = 0.0
    reason = "primary"
    if any(is_up(spec.id, one, servers) for one in earlier):
        waited, reason = None if place is None else place.after_seconds, "waited"
    elif earlier:
        reason = "primary_down"
    return BackendTurn(model=spec.id, waited_seconds=waited, noted=JobBackend(name, kind, reason))


def is_up(model: str, name: str, servers: Iterable[LivingServer]) -> bool:
    """Return whether one of a model's order takes its jobs: a server of this installation, or the backend `name`."""
    return any(
        one.takes(model) and (not one.remote if name == LOCAL else one.server_id == SERVER_PREFIX + name)
        for one in servers
    )


def waits(turns: Iterable[BackendTurn]) -> list[tuple[float | None, tuple[BackendTurn, ...]]]:
    """Return the turns in groups of one wait each, the shortest first, and last those that take only what asks."""
    groups: dict[float | None, list[BackendTurn]] = {}
    for one in turns:
        groups.setdefault(one.waited_seconds, []).append(one)
    order = sorted(groups, key=lambda seconds: (seconds is None, seconds or 0.0))
    return [(seconds, tuple(groups[seconds])) for seconds in order]


def _server(row: Row[Any]) -> LivingServer:
    return msgspec.convert(row._mapping, LivingServer)
