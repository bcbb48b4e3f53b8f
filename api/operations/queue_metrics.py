"""The gauges of the whole service, read from the database and the broker when Prometheus scrapes, but not each time."""

import asyncio
import math
import time
from collections.abc import Sequence
from typing import Any

from prometheus_client.exposition import choose_encoder
from sqlalchemy import Row

from api.http.database import Database
from api.operations.readiness import Readiness
from core import metrics
from core.errors.unavailable import DatabaseUnavailable, StorageUnavailable
from core.storage.store import Store
from jobs.job import ACTIVE
from jobs.statements.maintenance.gauges import gauges
from pipelines.catalog.loader import Catalog

FRESH_SECONDS = 5.0
"""How long a reading is used."""
REST_FACTOR = 20
"""After a slow reading, since many jobs wait, the next one comes after this multiple of its duration."""
FREE_SECONDS = 1.0
"""How long the store's disk may take to say its free space: one on a network may never answer."""
STATES = ("idle", "busy", "cordoned", "draining", "drained", "store_away", "clock_skewed", "backend_away", "offline")


class QueueMetrics:
    """Updates the gauges of `core.metrics.API`, which describe the whole service, whichever API process answers."""

    def __init__(self, database: Database, readiness: Readiness, catalog: Catalog, store: Store) -> None:
        self._database = database
        self._store = store
        self._readiness = readiness
        self._models = [spec.id for spec in catalog.models]
        self._reading = asyncio.Lock()
        self._due = 0.0
        self._asking: asyncio.Task[int | None] | None = None

    async def exposition(self, accept: str) -> tuple[bytes, str]:
        """Return the metrics of this process in the format that the header `accept` selects, and its media type."""
        encode, media_type = choose_encoder(accept)
        async with self._reading:
            await self._refresh()
            return await asyncio.to_thread(encode, metrics.API), media_type

    async def _refresh(self) -> None:
        """Read the gauges, unless the last reading is still fresh."""
        started_at = time.monotonic()
        if started_at < self._due:
            return
        broker, rows, free = await asyncio.gather(self._readiness.broker(), self._rows(), self._free())
        metrics.STORE_FREE.set(math.nan if free is None else free)
        metrics.BROKER_UP.set(broker == "ok")
        metrics.DATABASE_UP.set(rows is not None)
        if rows is None:
            self._clear()
        else:
            self._set(rows)
        now = time.monotonic()
        self._due = now + max(FRESH_SECONDS, REST_FACTOR * (now - started_at))

    async def _rows(self) -> Sequence[Row[Any]] | None:
        try:
            return await self._database.rows(gauges())
        except DatabaseUnavailable:
            return None

    async def _free(self) -> int | None:
        """Return the free space of the store's disk; None while it does not answer, with one thread that waits."""
        if self._asking is None:
            self._asking = asyncio.create_task(asyncio.to_thread(self._store.free_bytes))
        await asyncio.wait([self._asking], timeout=FREE_SECONDS)
        if not self._asking.done():
            return None
        asked, self._asking = self._asking, None
        try:
            return asked.result()
        except StorageUnavailable:
            return None

    def _clear(self) -> None:
        """Remove values of before an outage of the database, which may no longer be true."""
        for gauge in (
            *(metrics.QUEUE_JOBS, metrics.QUEUE_OLDEST, metrics.SERVERS),
            *(metrics.MODEL_SERVERS, metrics.STORE_BYTES),
        ):
            gauge.clear()
        for gauge in (metrics.WEBHOOKS_DUE, metrics.WEBHOOKS_OLDEST, metrics.DATABASE_BYTES):
            gauge.set(math.nan)

    def _set(self, rows: Sequence[Row[Any]]) -> None:
        """Set every gauge from the rows of `gauges`; values with an unknown label are summed under `other`."""
        models, states = (*self._models, metrics.OTHER), (*STATES, metrics.OTHER)
        counts = {(model, state.value): 0 for model in models for state in ACTIVE}
        oldest, servers, serving = dict.fromkeys(models, 0.0), dict.fromkeys(states, 0), dict.fromkeys(models, 0)
        for row in rows:
            if row.what == "jobs":
                model = row.model if row.model in oldest else metrics.OTHER
                counts[model, row.state] += row.number
                oldest[model] = max(oldest[model], row.oldest)
            elif row.what == "servers":
                servers[row.state if row.state in servers else metrics.OTHER] += row.number
            elif row.what == "served":
                serving[row.model if row.model in serving else metrics.OTHER] += row.number
            elif row.what == "stored":
                (metrics.STORE_BYTES.labels(row.model) if row.model else metrics.DATABASE_BYTES).set(row.number)
            else:
                metrics.WEBHOOKS_DUE.set(row.number)
                metrics.WEBHOOKS_OLDEST.set(row.oldest)
        for labels, count in counts.items():
            metrics.QUEUE_JOBS.labels(*labels).set(count)
        for model, seconds in oldest.items():
            metrics.QUEUE_OLDEST.labels(model).set(seconds)
        for model, count in serving.items():
            metrics.MODEL_SERVERS.labels(model).set(count)
        for state, count in servers.items():
            metrics.SERVERS.labels(state).set(count)
