"""What a server says of itself, and what an operator may want of it. No SQL: an engine tells of its models so."""

from collections.abc import Sequence
from typing import Literal

import msgspec


class ResidentModel(msgspec.Struct, frozen=True, kw_only=True):
    """A model in a server's memory: bytes of its weights, `where` they are: on the `device` or parked in memory of the
    `host`. A newer worker may know other places.
    """

    id: str
    bytes: int
    where: str
    pinned: bool = False


class ServerFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker says of itself at every heartbeat. Memory is bytes; `resident` are the models on the device."""

    state: str
    device: str
    memory_total: int = 0
    memory_used: int = 0
    serves: Sequence[str] = ()
    resident: Sequence[str] = ()
    models: tuple[ResidentModel, ...] = ()
    current_job: str | None = None
    dedicated: bool = False
    versions: dict[str, str] = {}


Desired = Literal["active", "cordoned", "draining"]
"""What an operator wants of a server: take jobs; take none; finish what it has, take none, and stay up."""
