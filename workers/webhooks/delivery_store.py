"""The store of deliveries: each method is one short transaction, none of which is open during HTTP."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, TypeVar

import msgspec
from sqlalchemy import Delete, Row, Update
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from core.ids import is_id
from core.metrics import WEBHOOK_DELIVERIES
from core.settings import Settings
from core.signing import webhook_secrets
from jobs import media
from jobs.job import Job, job_from_row
from jobs.params.requests.origin import CHAIN
from jobs.statements.queue import tenant_jobs
from jobs.statements.webhooks import deliveries, delivery_functions, endpoints, receiver_breaker
from jobs.wire.dialects import videogen
from jobs.wire.webhooks import WebhookTest, WebhookTestData
from workers.function_fallback import FunctionFallback
from workers.retry_policy import RetryPolicy
from workers.webhooks.chains import chain_webhook
from workers.webhooks.dialects.facts import DialectWebhook, LeasedDelivery, WebhookFacts
from workers.webhooks.dialects.table import CALLBACK_FORMATS
from workers.webhooks.dialects.videogen import execution_webhook, file_webhook
from workers.webhooks.payload import WebhookMessage, encode, native_webhook, sign, signing_generations
from workers.webhooks.sender import DeliveryResult

T = TypeVar("T")
Composer = Callable[[AsyncConnection, LeasedDelivery], Awaitable[DialectWebhook | None]]
"""Composes what takes further rows."""
DISABLED = "The endpoint is disabled."


class Leased(msgspec.Struct, frozen=True):
    """A delivery that this worker has leased, and its row of `deliveries.with_subjects`."""

    delivery: LeasedDelivery
    subject: Row[Any]


class DeliveryStore:
    """Reads and writes of the dispatcher. Every method raises what the database raises."""

    def __init__(self, settings: Settings, db: AsyncEngine) -> None:
        self._settings = settings
        self._db = db
        self._single = db.execution_options(isolation_level="AUTOCOMMIT")
        self._transactions = asyncio.Semaphore(settings.db_pool)
        self._retry_policy = RetryPolicy.parse(settings.webhook_schedule)
        self._fallback = FunctionFallback()

    async def take(self, limit: int) -> tuple[Sequence[Leased], bool]:
        """Lease deliveries that are due, and close superseded ones; returns the leases, and whether more may be due."""
        rows = await self._by_functions(partial(self._lease, limit))
        due = [Leased(_delivery_of(row), row) for row in rows if row.outbox_superseded_at is None]
        superseded = len(rows) - len(due)
        WEBHOOK_DELIVERIES.labels("superseded").inc(superseded)
        return due, superseded > 0 or len(due) == limit

    async def compose(self, leased: Leased) -> WebhookMessage | DeliveryResult | None:
        """Return the message, or the reason why it is not sent; None when it is dropped with its job or endpoint."""
        delivery, subject = leased.delivery, leased.subject
        job = None if subject.id is None else job_from_row(subject)
        if subject.owner is None:
            await self._drop(deliveries.forget(delivery.id))
            return None
        if subject.disabled_at is not None:
            return DeliveryResult(problem=DISABLED, final=True)
        about = delivery.job_id or ""
        is_file, is_chain = is_id(media.PREFIX, about), is_id(CHAIN, about)
        if job is None and about and not is_file and not is_chain:
            await self._drop(tenant_jobs.forget_job_deliveries(about))
            return None
        secrets = [
            secret
            for generation in signing_generations(subject.generation, subject.rotated_at, subject.now)
            for secret in webhook_secrets(self._settings.secret_key, subject.owner, generation)
        ]
        if is_chain:
            made = await self._compose_with(partial(chain_webhook, settings=self._settings), delivery)
        elif is_file:
            made = await self._compose_with(partial(file_webhook, settings=self._settings), delivery)
        elif job is not None and subject.endpoint_dialect == videogen.NAME:
            compose = partial(execution_webhook, job=job, events=subject.endpoint_events, settings=self._settings)
            made = await self._compose_with(compose, delivery)
        else:
            made = self._format(leased, job, secrets)
        if made is None:
            return None
        headers = made.headers | sign(delivery.id, subject.now, made.body, secrets)
        return WebhookMessage(body=made.body, headers=headers, composed_at=subject.now, job=job)

    async def record_result(self, delivery: LeasedDelivery, result: DeliveryResult) -> None:
        """Record the result of an attempt for the delivery, its endpoint and the circuit breaker of its receiver.

        The endpoint's row is locked first, as in the API, and the receiver's last: another order could deadlock.
        """
        outcome = await self._by_functions(partial(self._record, delivery, result))
        WEBHOOK_DELIVERIES.labels(outcome).inc()

    async def _lease(self, limit: int) -> Sequence[Row[Any]]:
        """Return the rows that were leased or superseded, each with its subject."""
        limits = {
            "limit": limit,
            "lease_seconds": 2 * self._settings.webhook_timeout,
            "breaker_failures": self._settings.webhook_breaker_failures,
        }
        statement = (
            deliveries.with_subjects(deliveries.take(**limits))
            if self._fallback.active
            else delivery_functions.call_take(**limits)
        )
        async with self._transactions, self._single.connect() as connection:
            return (await connection.execute(statement)).all()

    async def _record(self, delivery: LeasedDelivery, result: DeliveryResult) -> str:
        """Do what `record_result` says; returns the outcome, as the metric names it."""
        if result.delivered and delivery.webhook_id is None:
            async with self._transactions, self._single.connect() as connection:
                await self._record_delivered(connection, delivery, result)
                return "delivered"
        async with self._transaction() as connection:
            if delivery.webhook_id is not None:
                await self._record_for_endpoint(connection, delivery.webhook_id, result)
            if result.delivered:
                await self._record_delivered(connection, delivery, result)
                return "delivered"
            outcome, statement = self._failure_of(delivery, result)
            await connection.execute(statement)
            await self._record_for_receiver(connection, delivery, result)
            return outcome

    async def _record_delivered(
        self, connection: AsyncConnection, delivery: LeasedDelivery, result: DeliveryResult
    ) -> None:
        record = delivery_functions.delivered if self._fallback.active else delivery_functions.call_delivered
        statement = record(
            delivery.tenant,
            delivery.url,
            delivery.id,
            delivery.attempt,
            answer=result.status or 0,
            milliseconds=result.milliseconds,
        )
        await connection.execute(statement)

    async def _by_functions(self, work: Callable[[], Awaitable[T]]) -> T:
        """Do a transaction; when the database lacks a function, do it again by plain statements.

        A message that was sent must be recorded, or it is sent twice.
        """
        try:
            return await work()
        except ProgrammingError as error:
            if not self._fallback.begin_for(error):
                raise
        return await work()

    async def _drop(self, statement: Delete) -> None:
        async with self._transaction() as connection:
            await connection.execute(statement)

    def _format(self, leased: Leased, job: Job | None, secrets: Sequence[str]) -> DialectWebhook:
        """Return the webhook of a test or of a job; a callback is in the wire format of the job's submit."""
        delivery, subject = leased.delivery, leased.subject
        if job is None:
            assert delivery.webhook_id is not None  # a callback is dropped with its job
            test = WebhookTest(delivery.type, delivery.created_at, WebhookTestData(delivery.webhook_id))
            return DialectWebhook(body=encode(test))
        ended = delivery.type == f"job.{job.status}" and job.finished_at
        facts = WebhookFacts(
            message_id=delivery.id,
            event=delivery.type,
            happened_at=ended or delivery.created_at,
            now=subject.now,
            job=job,
            balance=subject.balance,
            secrets=secrets,
            settings=self._settings,
        )
        is_callback = delivery.webhook_id is None
        make = CALLBACK_FORMATS.get(job.origin.dialect, native_webhook) if is_callback else native_webhook
        return make(facts)

    async def _compose_with(
        self,
        compose: Callable[[AsyncConnection, LeasedDelivery], Awaitable[DialectWebhook | None]],
        delivery: LeasedDelivery,
    ) -> DialectWebhook | None:
        """Return what is composed of further rows; None, and the delivery is dropped, if none is due."""
        async with self._transaction() as connection:
            made = await compose(connection, delivery)
            if made is None:
                await connection.execute(deliveries.forget(delivery.id))
            return made

    async def _record_for_endpoint(self, connection: AsyncConnection, webhook_id: str, result: DeliveryResult) -> None:
        if result.delivered:
            await connection.execute(endpoints.worked(webhook_id))
            return
        seconds = self._settings.webhook_disable_seconds
        disabled_at = await connection.scalar(endpoints.failed(webhook_id, gone=result.gone, disable_seconds=seconds))
        if disabled_at is not None:
            abandoned = await connection.execute(deliveries.abandon(webhook_id, DISABLED))
            WEBHOOK_DELIVERIES.labels("gave_up").inc(abandoned.rowcount)

    async def _record_for_receiver(
        self, connection: AsyncConnection, delivery: LeasedDelivery, result: DeliveryResult
    ) -> None:
        tenant, url = delivery.tenant, delivery.url
        if result.blames_host:
            failures, seconds = self._settings.webhook_breaker_failures, self._settings.webhook_breaker_seconds
            await connection.execute(receiver_breaker.failed(tenant, url, failures=failures, seconds=seconds))
        elif result.status is not None:
            await connection.execute(receiver_breaker.answered(tenant, url))

    def _failure_of(self, delivery: LeasedDelivery, result: DeliveryResult) -> tuple[str, Update]:
        """Return the outcome of a failed attempt, as the metric names it, and the statement that records it."""
        message, attempt, took = delivery.id, delivery.attempt, result.milliseconds
        problem = result.problem or ""
        attempts = attempt - delivery.attempts_before
        delay = None if result.final else self._retry_policy.delay(attempts, result.retry_after)
        if delay is None:
            return "gave_up", deliveries.given_up(
                message, attempt, answer=result.status, problem=problem, milliseconds=took
            )
        return "failed", deliveries.postponed(
            message, attempt, delay=delay, answer=result.status, problem=problem, milliseconds=took
        )

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[AsyncConnection]:
        """Open a transaction; a burst of them waits here, since the pool times out soon.

        The pool is large enough for `db_pool` transactions each of the dispatcher and of ingest, so all of theirs must
        begin here.
        """
        async with self._transactions, self._db.begin() as connection:
            yield connection


def _delivery_of(row: Row[Any]) -> LeasedDelivery:
    return LeasedDelivery(**{name: getattr(row, f"outbox_{name}") for name in LeasedDelivery.__struct_fields__})
