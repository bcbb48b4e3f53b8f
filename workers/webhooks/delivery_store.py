"""What webhooks read and write about deliveries: each in one short transaction, none of them open during HTTP."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy import Row, Update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from core.metrics import WEBHOOK_DELIVERIES
from core.settings import Settings
from core.signing import webhook_secret
from jobs.job import Job, job_from_row
from jobs.statements.queue import tenant_jobs
from jobs.statements.webhooks import deliveries, endpoints, receiver_breaker
from jobs.wire.status import QueueEstimate, status_answer
from workers.retry_policy import RetryPolicy
from workers.webhooks.payload import WebhookMessage, WebhookPayload, WebhookTestData, encode, living_generations, sign
from workers.webhooks.sender import DeliveryResult

DISABLED = "The endpoint is disabled."


class DeliveryStore:
    """Every method raises what the database raises."""

    def __init__(self, settings: Settings, engine: AsyncEngine) -> None:
        self._settings = settings
        self._engine = engine
        self._room = asyncio.Semaphore(settings.db_pool)
        self._schedule = RetryPolicy.parse(settings.webhook_schedule)

    async def take(self, limit: int) -> Sequence[Row[Any]]:
        """Lease deliveries that are due, once those are closed that are old news."""
        take = deliveries.take(
            limit=limit,
            lease_seconds=2 * self._settings.webhook_timeout,
            breaker_failures=self._settings.webhook_breaker_failures,
        )
        async with self._transaction() as connection:
            superseded = await connection.execute(deliveries.supersede())
            WEBHOOK_DELIVERIES.labels("superseded").inc(superseded.rowcount)
            return (await connection.execute(take)).all()

    async def compose(self, delivery: Row[Any]) -> WebhookMessage | DeliveryResult | None:
        """The message, or why it is not sent; None for one that is dropped, since its job or endpoint is gone."""
        async with self._transaction() as connection:
            signer = (await connection.execute(endpoints.signer(delivery.tenant, delivery.webhook_id))).one_or_none()
            if signer is None:
                await connection.execute(deliveries.forget(delivery.id))
                return None
            if signer.disabled_at is not None:
                return DeliveryResult(problem=DISABLED, final=True)
            job = await self._job(connection, delivery)
            if job is None and delivery.job_id is not None:
                return None
            payload = await self._payload(connection, delivery, job)
        body = encode(payload)
        secrets = [
            webhook_secret(self._settings.secret_key, signer.owner, generation)
            for generation in living_generations(signer.generation, signer.rotated_at, signer.now)
        ]
        return WebhookMessage(body=body, headers=sign(delivery.id, signer.now, body, secrets), job=job)

    async def write_down(self, delivery: Row[Any], answer: DeliveryResult) -> None:
        """What came of an attempt: for the delivery itself, for its endpoint, and for the breaker of its host.

        The endpoint comes first, here as in the API: two that lock each other's rows in another order would wait for
        ever.
        """
        async with self._transaction() as connection:
            if delivery.webhook_id is not None:
                await self._endpoint(connection, delivery.webhook_id, answer)
            await self._host(connection, delivery.url, answer)
            outcome, fate = self._fate(delivery, answer)
            await connection.execute(fate)
        WEBHOOK_DELIVERIES.labels(outcome).inc()

    async def _job(self, connection: AsyncConnection, delivery: Row[Any]) -> Job | None:
        """What it tells of; none for a test, nor for a job that is gone, whose deliveries are dropped."""
        if delivery.job_id is None:
            return None
        row = (await connection.execute(tenant_jobs.by_id(delivery.job_id))).one_or_none()
        if row is None:
            await connection.execute(tenant_jobs.forget_job_deliveries(delivery.job_id))
            return None
        return job_from_row(row)

    async def _payload(self, connection: AsyncConnection, delivery: Row[Any], job: Job | None) -> WebhookPayload:
        if job is None:
            return WebhookPayload(delivery.type, delivery.created_at, WebhookTestData(delivery.webhook_id))
        balance = await connection.scalar(tenant_jobs.balance(delivery.tenant))
        data = status_answer(job, self._settings, QueueEstimate(balance_remaining_usd=balance))
        ended = delivery.type == f"job.{job.status}" and job.finished_at
        return WebhookPayload(delivery.type, ended or delivery.created_at, data)

    async def _endpoint(self, connection: AsyncConnection, webhook_id: str, answer: DeliveryResult) -> None:
        if answer.delivered:
            await connection.execute(endpoints.worked(webhook_id))
            return
        seconds = self._settings.webhook_disable_seconds
        disabled_at = await connection.scalar(endpoints.failed(webhook_id, gone=answer.gone, disable_seconds=seconds))
        if disabled_at is not None:
            abandoned = await connection.execute(deliveries.abandon(webhook_id, DISABLED))
            WEBHOOK_DELIVERIES.labels("gave_up").inc(abandoned.rowcount)

    async def _host(self, connection: AsyncConnection, url: str, answer: DeliveryResult) -> None:
        if answer.blames_host:
            failures, seconds = self._settings.webhook_breaker_failures, self._settings.webhook_breaker_seconds
            await connection.execute(receiver_breaker.failed(url, failures=failures, seconds=seconds))
        elif answer.status is not None:
            await connection.execute(receiver_breaker.answered(url))

    def _fate(self, delivery: Row[Any], answer: DeliveryResult) -> tuple[str, Update]:
        """What becomes of a delivery, and the statement that says so."""
        message, attempt, took = delivery.id, delivery.attempt, answer.milliseconds
        if answer.delivered:
            return "delivered", deliveries.delivered(message, attempt, answer=answer.status or 0, milliseconds=took)
        problem = answer.problem or ""
        attempts = attempt - delivery.attempts_before
        delay = None if answer.final else self._schedule.delay(attempts, answer.retry_after)
        if delay is None:
            return "gave_up", deliveries.given_up(
                message, attempt, answer=answer.status, problem=problem, milliseconds=took
            )
        return "failed", deliveries.postponed(
            message, attempt, delay=delay, answer=answer.status, problem=problem, milliseconds=took
        )

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[AsyncConnection]:
        """A transaction; a burst of them waits here, since the pool's patience is short.

        The pool has room for this and for ingest, each with as many as `db_pool`; so no transaction of either may
        begin outside of its room.
        """
        async with self._room, self._engine.begin() as connection:
            yield connection
