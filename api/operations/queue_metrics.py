"""The gauges of the whole service: read from the database and the broker when Prometheus asks, but not each time."""

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
from core.errors import DatabaseUnavailable
from jobs.job import ACTIVE
from jobs.statements.maintenance.gauges import gauges
from pipelines.catalog.loader import Catalog

SECONDS = 5.0
"""How long what was read is good enough."""
SHARE = 20
"""A reading that takes long, since many jobs wait, comes so many times as seldom as it is long."""
STATES = ("idle", "busy", "cordoned", "draining", "drained", "clock_skewed", "offline")


class QueueMetrics:
    """Brings the gauges of `core.metrics.API` up to date. They are the truth of the service, whichever API is asked."""

    def __init__(self, database: Database, readiness: Readiness, catalog: Catalog) -> None:
        self._database = database
        self._readiness = readiness
        self._models = [spec.id for spec in catalog.models]
        self._reading = asyncio.Lock()
        self._due = 0.0

    async def exposition(self, accept: str) -> tuple[bytes, str]:
        """The metrics of this API in a format that `accept`, a header, asks for, and its media type."""
        encode, media_type = choose_encoder(accept)
        async with self._reading:
            await self._look()
            return await asyncio.to_thread(encode, metrics.API), media_type

    async def _look(self) -> None:
        """Read the gauges, unless that was done a moment ago."""
        began = time.monotonic()
        if began < self._due:
            return
        broker, rows = await asyncio.gather(self._readiness.broker(), self._rows())
        metrics.BROKER_UP.set(broker == "ok")
        metrics.DATABASE_UP.set(rows is not None)
        if rows is None:
            self._hide()
        else:
            self._show(rows)
        now = time.monotonic()
        self._due = now + max(SECONDS, SHARE * (now - began))

    async def _rows(self) -> Sequence[Row[Any]] | None:
        try:
            return await self._database.rows(gauges())
        except DatabaseUnavailable:
            return None

    def _hide(self) -> None:
        """What was true before the database went away is not told as if it still were."""
        for gauge in (metrics.QUEUE_JOBS, metrics.QUEUE_OLDEST, metrics.SERVERS):
            gauge.clear()
        for gauge in (metrics.WEBHOOKS_DUE, metrics.WEBHOOKS_OLDEST):
            gauge.set(math.nan)

    def _show(self, rows: Sequence[Row[Any]]) -> None:
        models, states = (*self._models, metrics.OTHER), (*STATES, metrics.OTHER)
        number = {(model, state.value): 0 for model in models for state in ACTIVE}
        oldest, servers = dict.fromkeys(models, 0.0), dict.fromkeys(states, 0)
        for row in rows:
            if row.what == "jobs":
                model = row.model if row.model in oldest else metrics.OTHER
                number[model, row.state] += row.number
                oldest[model] = max(oldest[model], row.oldest)
            elif row.what == "servers":
                servers[row.state if row.state in servers else metrics.OTHER] += row.number
            else:
                metrics.WEBHOOKS_DUE.set(row.number)
                metrics.WEBHOOKS_OLDEST.set(row.oldest)
        for labels, count in number.items():
            metrics.QUEUE_JOBS.labels(*labels).set(count)
        for model, seconds in oldest.items():
            metrics.QUEUE_OLDEST.labels(model).set(seconds)
        for state, count in servers.items():
            metrics.SERVERS.labels(state).set(count)
