"""/queue/v1: what waits and runs, model by model, and why."""

import asyncio
import time
from typing import Any

from litestar import get
from litestar.di import NamedDependency
from sqlalchemy import Row

from api.http.auth import Caller, needs
from api.http.database import Database
from api.openapi.documents import error_responses
from jobs.statements.console.queue_by_model import queue_by_model
from jobs.wire.servers import QueueAnswer, QueuedModel
from jobs.wire.wait_reasons import Reason

FRESH_SECONDS = 5.0
"""How long a reading is shown, to however many look: it reads every unfinished job."""
MOST_READINGS = 1000


class QueueReadings:
    """The queue of each tenant, and of all, as it was read in the last seconds."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._readings: dict[str | None, tuple[float, asyncio.Task[QueueAnswer]]] = {}

    async def read(self, tenant: str | None) -> QueueAnswer:
        """Return the queue of a tenant, or of all of them."""
        known = self._readings.get(tenant)
        if known is None or known[0] < time.monotonic() or (known[1].done() and known[1].exception() is not None):
            if len(self._readings) >= MOST_READINGS:
                self._readings.clear()
            known = time.monotonic() + FRESH_SECONDS, asyncio.create_task(self._read(tenant))
            self._readings[tenant] = known
        return await asyncio.shield(known[1])

    async def _read(self, tenant: str | None) -> QueueAnswer:
        return QueueAnswer([queued_model(row) for row in await self._database.rows(queue_by_model(tenant))])


def queued_model(row: Row[Any]) -> QueuedModel:
    """Return what waits for a model; the reasons are the codes of `waiting_for`."""
    reasons = {
        Reason.INPUTS: row.inputs,
        Reason.BACKOFF: row.backoff,
        Reason.SERVER_OFFLINE: row.offline,
    } | (
        {Reason.TENANT_PAUSED: row.paused, Reason.QUEUE: row.queued}
        if row.taking
        else {_nowhere(row): row.paused + row.queued}
    )
    return QueuedModel(
        model=row.model,
        waiting=sum(reasons.values()),
        running=row.running,
        oldest_seconds=None if row.oldest is None else round(float(row.oldest), 1),
        serving=row.serving,
        taking=row.taking,
        reasons={reason.value: number for reason, number in reasons.items() if number},
    )


def _nowhere(row: Row[Any]) -> Reason:
    """Return why no server takes jobs of a model."""
    if row.serving == 0:
        return Reason.NO_SERVER_FOR_MODEL
    return Reason.STORE_AWAY if row.store_away else Reason.SERVER_CORDONED


@get(
    "/queue/v1",
    tags=("Service",),
    opt=needs("jobs"),
    responses=error_responses(),
    summary="The queue",
)
async def queue(caller: NamedDependency[Caller], queue_readings: NamedDependency[QueueReadings]) -> QueueAnswer:
    """Return what waits and runs by model, and why; of your tenant, or of all with the scope `tenants:read`.

    It is at most five seconds old.
    """
    return await queue_readings.read(None if caller.may("tenants:read") else caller.tenant)
