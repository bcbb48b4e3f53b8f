"""Webhooks: events of jobs leave from the outbox, at least once, after Standard Webhooks 1.0.

A delivery is leased, sent without a transaction open, and its fate written down; a worker that is lost in between
lets the lease run out, and the next one sends it again under the same `webhook-id`.
"""

import asyncio
import logging
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from msgspec.structs import replace
from opentelemetry.trace import SpanKind, StatusCode
from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncEngine

from core.database import is_unreachable
from core.errors import ForbiddenUrl
from core.logs import bind, log_context
from core.net.url_guard import resolve_and_check
from core.settings import Settings
from core.tracing import Facts, attributes, span, trace_id, traceparent_of
from workers.webhooks.delivery_store import DeliveryStore
from workers.webhooks.payload import WebhookMessage
from workers.webhooks.sender import DeliveryResult, WebhookSender

log = logging.getLogger(__name__)

AT_ONCE = 512
"""Deliveries under way in one process; `deliveries.take` caps them per host and per tenant."""


class WebhookDispatcher:
    """Sends what is due, each delivery in a task of its own."""

    def __init__(self, settings: Settings, engine: AsyncEngine) -> None:
        self._settings = settings
        self._ledger = DeliveryStore(settings, engine)
        self._poster = WebhookSender(settings)
        self._resolvers = ThreadPoolExecutor(AT_ONCE, "resolve")
        self._under_way: set[asyncio.Task[None]] = set()

    async def turn(self) -> bool:
        """Start what is due, and return at once; whether more may be waiting."""
        free = AT_ONCE - len(self._under_way)
        if free == 0:
            return False
        taken = await self._ledger.take(free)
        for delivery in taken:
            with log_context(job_id=delivery.job_id, tenant_id=delivery.tenant):
                task = asyncio.create_task(self._deliver(delivery))
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)
        return len(taken) == free

    async def close(self, grace_seconds: float) -> None:
        """Wait for what is under way; what is not done by then is sent again by another worker."""
        if self._under_way:
            await asyncio.wait(self._under_way, timeout=grace_seconds)
        unfinished = tuple(self._under_way)
        for task in unfinished:
            task.cancel()
        await asyncio.gather(*unfinished, return_exceptions=True)
        await self._poster.close()
        self._resolvers.shutdown(wait=False, cancel_futures=True)

    async def _deliver(self, delivery: Row[Any]) -> None:
        try:
            answer = await self._attempt(delivery)
            if answer is not None:
                log.info("webhook %s, attempt %d: %s", delivery.id, delivery.attempt, answer.problem or answer.status)
                await self._ledger.write_down(delivery, answer)
        except Exception as error:
            if is_unreachable(error):
                log.warning("webhook %s: the database does not answer; it will be sent again", delivery.id)
            else:
                log.exception("webhook %s", delivery.id)

    async def _attempt(self, delivery: Row[Any]) -> DeliveryResult | None:
        try:
            message = await self._ledger.compose(delivery)
            if not isinstance(message, WebhookMessage):
                return message
            bind(trace_id=trace_id(message.job.traceparent) if message.job else None)
            begun_at = time.monotonic()
            answer = await self._traced(delivery, message)
            return replace(answer, milliseconds=round(1000 * (time.monotonic() - begun_at)))
        except Exception as error:
            if is_unreachable(error):
                raise
            log.exception("webhook %s", delivery.id)
            return DeliveryResult(problem="The service failed to send it; its log says why.")

    async def _traced(self, delivery: Row[Any], message: WebhookMessage) -> DeliveryResult:
        """Send it as a part of its job's trace, which the receiver is told."""
        parent = message.job.traceparent if message.job else None
        facts: Facts = {"job_id": delivery.job_id, "event": delivery.type, "attempt": delivery.attempt}
        with span("webhook", parent=parent, kind=SpanKind.CLIENT, facts=facts) as opened:
            traceparent = traceparent_of(opened)
            headers = message.headers | ({"traceparent": traceparent} if traceparent else {})
            answer = await self._send(delivery, replace(message, headers=headers))
            opened.set_attributes(attributes({"status": answer.status}))
            if not answer.delivered:
                opened.set_status(StatusCode.ERROR, "not delivered")
            return answer

    async def _send(self, delivery: Row[Any], message: WebhookMessage) -> DeliveryResult:
        try:
            async with asyncio.timeout(self._settings.webhook_timeout):
                loop = asyncio.get_running_loop()
                judged = await loop.run_in_executor(self._resolvers, resolve_and_check, delivery.url, self._settings)
                return await self._poster.post(judged, delivery.attempt - 1, message.body, message.headers)
        except ForbiddenUrl as error:
            return DeliveryResult(problem=error.detail, final=True)
        except TimeoutError:
            return DeliveryResult(problem=f"No answer within {self._settings.webhook_timeout:g} s.")
        except OSError as error:
            return DeliveryResult(problem=f"The host name does not resolve: {error.strerror or error}.")
