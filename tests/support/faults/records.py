"""The four records of a run that the checker compares: the answers to callers, rows, bucket and deliveries."""

import hashlib
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import Engine, select

from core.errors.unknown import UnknownOutput
from core.settings import Settings
from core.signing import webhook_secret
from core.storage.store import open_store
from jobs.schema.tables import idempotency, jobs, outbox, tenants
from tests.support.faults.callers import Exchange
from tests.support.servers.webhook_receiver import Received


class Records(msgspec.Struct, frozen=True, kw_only=True):
    """What is known after a run. Rows are those of the tables, of every tenant."""

    exchanges: Sequence[Exchange]
    jobs: Sequence[Any]
    keys: Sequence[Any]
    """Idempotency-Keys."""
    outbox: Sequence[Any]
    objects: Mapping[str, str]
    """SHA-256 of every stored object, by key."""
    received: Sequence[Received]
    secrets: Mapping[str, Sequence[str]]
    """Each tenant's webhook secrets, of all generations."""


def gather(settings: Settings, db: Engine, exchanges: Sequence[Exchange], received: Sequence[Received]) -> Records:
    """Read the rows and the bucket; callers and the webhook receiver wrote the rest down."""
    with db.begin() as connection:
        rows = {table: connection.execute(select(table)).all() for table in (jobs, idempotency, outbox, tenants)}
    return Records(
        exchanges=tuple(exchanges),
        jobs=rows[jobs],
        keys=rows[idempotency],
        outbox=rows[outbox],
        objects=_objects(settings),
        received=tuple(received),
        secrets={
            tenant.id: [
                webhook_secret(settings.secret_key, tenant.id, generation + 1)
                for generation in range(tenant.webhook_generation)
            ]
            for tenant in rows[tenants]
        },
    )


def _objects(settings: Settings) -> dict[str, str]:
    store = open_store(settings)
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, "object")
        for key in list(store.keys()):
            with suppress(UnknownOutput):  # upkeep has just removed it
                store.get(key, copy)
                found[key] = hashlib.sha256(copy.read_bytes()).hexdigest()
    return found
