"""The dispatcher of webhooks: sends the events of the outbox, at least once, after Standard Webhooks 1.0.

A delivery is leased, sent without an open transaction, and its result recorded. When a worker is lost in between, the
lease expires, and another worker sends the delivery again under the same `webhook-id`.
"""

import asyncio
import logging
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from msgspec.structs import replace
from opentelemetry.trace import SpanKind, StatusCode
from sqlalchemy.ext.asyncio import AsyncEngine

from core.database import is_unreachable
from core.errors.fields import ForbiddenUrl
from core.logs import bind, log_context
from core.net.url_guard import resolve_and_check
from core.settings import Settings
from core.tracing import Facts, attributes, span, trace_id, traceparent_of
from workers.webhooks.delivery_store import DeliveryStore, Leased
from workers.webhooks.dialects.facts import LeasedDelivery
from workers.webhooks.payload import WebhookMessage
from workers.webhooks.sender import DeliveryResult, WebhookSender

log = logging.getLogger(__name__)

MAX_IN_PROGRESS = 512
"""Deliveries in progress in one process; `deliveries.take` limits them per origin and per tenant."""
MANY = 2
"""So many deliveries to one URL at once say that there may be more: a tenant has as many places at a shared host."""


class WebhookDispatcher:
    """Sends due deliveries, each in a task of its own."""

    def __init__(self, settings: Settings, db: AsyncEngine) -> None:
        self._settings = settings
        self._store = DeliveryStore(settings, db)
        self._sender = WebhookSender(settings)
        self._resolvers = ThreadPoolExecutor(MAX_IN_PROGRESS, "resolve")
        self._in_progress: set[asyncio.Task[None]] = set()

    async def start_due(self) -> bool:
        """Start the deliveries that are due, and return whether more may be waiting.

        Returns at once, except while a receiver has more to get than it may at once: then when a delivery ends, since
        its place is free, or after the time between two looks.
        """
        free = MAX_IN_PROGRESS - len(self._in_progress)
        if free == 0:
            return False
        began = time.monotonic()
        due, more = await self._store.take(free)
        took = time.monotonic() - began
        for leased in due:
            with log_context(job_id=leased.subject.id, tenant_id=leased.delivery.tenant):
                task = asyncio.create_task(self._deliver(leased))
            self._in_progress.add(task)
            task.add_done_callback(self._in_progress.discard)
        if (
            more
            or max(Counter((leased.delivery.tenant, leased.delivery.url) for leased in due).values(), default=0) < MANY
        ):
            return more
        pause = self._settings.webhook_poll_seconds
        await asyncio.wait(self._in_progress, timeout=pause, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.sleep(took)  # at most half of the time goes into asking
        return True

    async def close(self, grace_seconds: float) -> None:
        """Wait for the deliveries in progress; another worker sends the unfinished ones again."""
        if self._in_progress:
            await asyncio.wait(self._in_progress, timeout=grace_seconds)
        unfinished = tuple(self._in_progress)
        for task in unfinished:
            task.cancel()
        await asyncio.gather(*unfinished, return_exceptions=True)
        await self._sender.close()
        self._resolvers.shutdown(wait=False, cancel_futures=True)

    async def _deliver(self, leased: Leased) -> None:
        delivery = leased.delivery
        try:
            result = await self._compose_and_send(leased)
            if result is not None:
                outcome = result.problem or result.status
                log.info("webhook: sent id=%s attempt=%d result=%s", delivery.id, delivery.attempt, outcome)
                await self._store.record_result(delivery, result)
        except Exception as error:
            if is_unreachable(error):
                log.warning("webhook: the database does not answer id=%s; it will be sent again", delivery.id)
            else:
                log.exception("webhook: failed id=%s", delivery.id)

    async def _compose_and_send(self, leased: Leased) -> DeliveryResult | None:
        delivery = leased.delivery
        try:
            message = await self._store.compose(leased)
            if not isinstance(message, WebhookMessage):
                return message
            bind(trace_id=trace_id(message.job.traceparent) if message.job else None)
            begun_at = time.monotonic()
            result = await self._send_traced(delivery, message)
            return replace(result, milliseconds=round(1000 * (time.monotonic() - begun_at)))
        except Exception as error:
            if is_unreachable(error):
                raise
            log.exception("webhook: failed id=%s", delivery.id)
            return DeliveryResult(problem="The service failed to send it; ask the operator for the reason in its log.")

    async def _send_traced(self, delivery: LeasedDelivery, message: WebhookMessage) -> DeliveryResult:
        """Send the message in a span of its job's trace, whose traceparent the receiver gets."""
        parent = message.job.traceparent if message.job else None
        job_id = message.job.id if message.job else None
        facts: Facts = {"job_id": job_id, "event": delivery.type, "attempt": delivery.attempt}
        with span("webhook", parent=parent, kind=SpanKind.CLIENT, facts=facts) as opened:
            traceparent = traceparent_of(opened)
            headers = message.headers | ({"traceparent": traceparent} if traceparent else {})
            result = await self._send(delivery, replace(message, headers=headers))
            opened.set_attributes(attributes({"status": result.status}))
            if not result.delivered:
                opened.set_status(StatusCode.ERROR, "not delivered")
            return result

    async def _send(self, delivery: LeasedDelivery, message: WebhookMessage) -> DeliveryResult:
        try:
            async with asyncio.timeout(self._settings.webhook_timeout):
                loop = asyncio.get_running_loop()
                target = await loop.run_in_executor(self._resolvers, resolve_and_check, delivery.url, self._settings)
                return await self._sender.post(target, delivery.attempt - 1, message)
        except ForbiddenUrl as error:
            return DeliveryResult(problem=error.detail, final=True)
        except TimeoutError:
            return DeliveryResult(problem=f"No answer within {self._settings.webhook_timeout:g} s.")
        except OSError as error:
            return DeliveryResult(problem=f"The host name does not resolve: {error.strerror or error}.")
