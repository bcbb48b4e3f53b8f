"""The state of servers, as they report it and as the API answers it. No SQL: the engine uses it, too."""

from collections.abc import Sequence
from typing import Annotated, Literal

import msgspec

from jobs.wire.values import UtcTime, documented


class ResidentModel(msgspec.Struct, frozen=True, kw_only=True):
    """A model in a server's memory, with the bytes of its weights.

    `where` is `device` or `host`, the memory that holds them. A newer worker may report other values. `warnings` say
    where it computes otherwise than it should, on the CPU for example. `quantization` is that of weights that only some
    presets use; the model may be there a second time.
    """

    id: str
    bytes: int
    where: str
    pinned: bool = False
    warnings: tuple[str, ...] = ()
    quantization: str | None = None


class BackendState(msgspec.Struct, frozen=True, kw_only=True):
    """A remote backend, and its circuit breaker.

    `circuit` is `closed` while it gets jobs, `open` while it gets none, and `half_open` while it gets one to show
    whether it is well. `problem` is why it is open, in one word; `failures` counts those in a row.
    """

    name: str
    kind: str
    circuit: str
    problem: str | None = None
    failures: int = 0


class ServerFacts(msgspec.Struct, frozen=True, kw_only=True):
    """The report of a worker at every heartbeat. Memory is bytes; `resident` are the models on the device.

    `problem` is why the object store takes none of its data, in one word; None while it does.
    """

    state: str
    device: str
    problem: str | None = None
    memory_total: int = 0
    memory_used: int = 0
    serves: Sequence[str] = ()
    resident: Sequence[str] = ()
    models: tuple[ResidentModel, ...] = ()
    current_job: str | None = None
    dedicated: bool = False
    versions: dict[str, str] = {}
    backend: BackendState | None = None
    """Of one that stands for a remote backend."""


Desired = Literal["active", "cordoned", "draining"]
"""The desired state of a server: take jobs; take none; finish the jobs it has, take none, and stay up."""


class ServerAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A GPU server, or a remote `backend`. Memory is bytes; `heartbeat_age_seconds` is the age of its last heartbeat.

    `state` is what the server reports while it is `alive` (idle, busy, draining, drained, store_away, clock_skewed,
    backend_away), else `offline`; `desired` is what an operator asked of it. `problem` says why the object store is
    away, in one word: its own code, such as NoSuchBucket, or unreachable. `resident` are the models on the device,
    `models` those in any memory. `current_job` is shown to admins only. A `dedicated` server takes only jobs that ask
    for it.
    """

    server_id: str
    alive: bool
    state: str
    problem: str | None = None
    desired: Annotated[str, documented(Desired)]
    busy: bool
    current_job: str | None
    dedicated: bool
    device: str
    memory_total: int
    memory_used: int
    serves: list[str]
    resident: list[str]
    models: list[ResidentModel]
    versions: dict[str, str]
    started_at: UtcTime
    heartbeat_age_seconds: float
    backend: BackendState | None = None


class StoredBytes(msgspec.Struct, frozen=True, kw_only=True):
    """What the service stores, in bytes. `store` and `objects` are as of `measured_at`, null before the first time.

    `store_free` is the free space of the disk of a store that is a folder; null for S3.
    """

    database: int
    store: int | None
    objects: int | None
    store_free: int | None
    measured_at: UtcTime | None


class ServerList(msgspec.Struct, frozen=True):
    """Every server that was registered and not removed, by name; `stored` is shown to admins only."""

    servers: list[ServerAnswer]
    stored: StoredBytes | None = None


class CommandAccepted(msgspec.Struct, frozen=True):
    """The receipt of a command that the server carries out; `GET /servers/v1/{server_id}` shows its progress."""

    server_id: str
    order: str
    model: str | None = None


class QueuedModel(msgspec.Struct, frozen=True, kw_only=True):
    """The unfinished jobs of a model.

    `oldest_seconds` is how long the first of those that wait could have run, null when none could. `serving` is how
    many living servers have the model, `taking` how many of these take jobs. `reasons` are the codes of `waiting_for`
    with how many jobs wait for each; `queue` stands for `server_busy` and a tenant's cap, too.
    """

    model: str
    waiting: int
    running: int
    oldest_seconds: float | None
    serving: int
    taking: int
    reasons: dict[str, int]


class QueueAnswer(msgspec.Struct, frozen=True):
    """The queue by model; a model without unfinished jobs is not in it."""

    models: list[QueuedModel]
