"""Notification of what the API commits: one pipeline from the event loop, which no request waits for."""

import asyncio
import logging
import time
from collections import deque

from opentelemetry.trace import SpanKind
from redis.exceptions import RedisError

from core.broker.clients import async_broker_client
from core.circuit_breaker import CircuitBreaker
from core.settings import Settings
from core.tracing import record_span
from jobs.doorbell import queue_of
from jobs.job import Job, JobStatus
from jobs.notify import add_notification

log = logging.getLogger(__name__)

BOUND = 10_000
"""Notifications that may wait. Further ones are dropped, which costs each job at most one poll interval."""

BATCH = 256
"""Notifications of one pipeline, at most."""

GAP_SECONDS = 0.005
"""The least time between two pipelines. A pipeline takes this process longer than ten notifications of it do."""


class Notifier:
    """The notifier of workers and subscribers about what the API has committed.

    Jobs that are committed while a pipeline is under way, or right after it, share the next one. A broker that is away
    costs one timeout per period of the circuit breaker, and no request waits for it.
    """

    def __init__(self, settings: Settings) -> None:
        self._client = async_broker_client(settings)
        self._bell_limit = settings.bell_limit
        self._breaker = CircuitBreaker(settings.breaker_seconds)
        self._waiting: deque[Job] = deque()
        self._task: asyncio.Task[None] | None = None

    def notify_later(self, job: Job) -> None:
        """Queue a notification of a job that was just committed; never block, never raise. For the event loop only."""
        if len(self._waiting) >= BOUND:
            log.warning("notifier: queue full, notification dropped job=%s", job.id)
            return
        self._waiting.append(job)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._send_waiting(), name="notifier")

    async def stop(self, timeout: float = 2.0) -> None:
        """Send the waiting notifications, for at most `timeout` seconds, and close the connection."""
        if self._task is not None:
            await asyncio.wait({self._task}, timeout=timeout)
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._client.aclose()

    async def _send_waiting(self) -> None:
        while self._waiting:
            jobs = [self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))]
            try:
                await self._send(jobs)
            except Exception:
                log.exception("notifier: notification failed jobs=%s", ",".join(job.id for job in jobs))
            await asyncio.sleep(GAP_SECONDS)

    async def _send(self, jobs: list[Job]) -> None:
        if self._breaker.open:
            return
        began, failed = time.time(), None
        try:
            async with self._client.pipeline(transaction=False) as pipe:
                add_notification(pipe, jobs, self._bell_limit)
                await pipe.execute()
        except (RedisError, OSError, TimeoutError) as error:
            self._breaker.fail()
            failed = type(error).__name__
            log.warning("notifier: broker not reached error=%r", str(error))
        for job in jobs:
            if job.status is JobStatus.QUEUED:
                _record_ring(job, began, failed)


def _record_ring(job: Job, began: float, failed: str | None) -> None:
    """Record the span of a doorbell, in the trace of its job."""
    facts = {"job_id": job.id, "queue": queue_of(job)}
    record_span("ring", began, time.time(), parent=job.traceparent, kind=SpanKind.PRODUCER, failed=failed, facts=facts)
