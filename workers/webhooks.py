"""Webhooks: terminal states leave from the outbox, at least once, after Standard Webhooks 1.0.

A delivery is leased, sent without a transaction open, and its fate written down; a worker that is lost in between
lets the lease run out, and the next one sends it again under the same `webhook-id`.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy import Row, Update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from jobs.answers import Outlook, status_answer
from jobs.database import is_away
from jobs.errors import ForbiddenUrl
from jobs.guard import judge
from jobs.job import job_from_row
from jobs.settings import Settings
from jobs.signing import webhook_secret
from jobs.statements import access, caller, deliveries
from workers.envelope import Message, WebhookPayload, encode, living_generations, sign
from workers.poster import Answer, Poster
from workers.schedule import Schedule

log = logging.getLogger(__name__)

AT_ONCE = 512
"""Deliveries under way in one process; `deliveries.take` caps them per host and per tenant."""


class Webhooks:
    """Sends what is due, each delivery in a task of its own."""

    def __init__(self, settings: Settings, engine: AsyncEngine) -> None:
        self._settings = settings
        self._engine = engine
        self._room = asyncio.Semaphore(settings.db_pool)
        self._schedule = Schedule.parse(settings.webhook_schedule)
        self._poster = Poster(settings)
        self._resolvers = ThreadPoolExecutor(AT_ONCE, "resolve")
        self._under_way: set[asyncio.Task[None]] = set()

    async def turn(self) -> bool:
        """Start what is due, and return at once; whether more may be waiting."""
        free = AT_ONCE - len(self._under_way)
        if free == 0:
            return False
        take = deliveries.take(limit=free, lease_seconds=2 * self._settings.webhook_timeout)
        async with self._transaction() as connection:
            taken = (await connection.execute(take)).all()
        for delivery in taken:
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
                await self._execute(self._verdict(delivery, answer))
        except Exception as error:
            if is_away(error):
                log.warning("webhook %s: the database does not answer; it will be sent again", delivery.id)
            else:
                log.exception("webhook %s", delivery.id)

    async def _attempt(self, delivery: Row[Any]) -> Answer | None:
        try:
            message = await self._compose(delivery)
            return None if message is None else await self._send(delivery, message)
        except Exception as error:
            if is_away(error):
                raise
            log.exception("webhook %s", delivery.id)
            return Answer(problem="The service failed to send it; its log says why.")

    async def _compose(self, delivery: Row[Any]) -> Message | None:
        """The message; None for a job that was deleted, whose deliveries are dropped."""
        async with self._transaction() as connection:
            row = (await connection.execute(caller.by_id(delivery.job_id))).one_or_none()
            if row is None:
                await connection.execute(caller.forget_deliveries(delivery.job_id))
                return None
            balance = await connection.scalar(caller.balance(delivery.tenant))
            tenant = (await connection.execute(access.webhook_generation(delivery.tenant))).one()
        job = job_from_row(row)
        data = status_answer(job, self._settings, Outlook(balance_remaining_usd=balance))
        body = encode(WebhookPayload(delivery.type, job.finished_at or delivery.created_at, data))
        secrets = [
            webhook_secret(self._settings.secret_key, delivery.tenant, generation)
            for generation in living_generations(tenant.webhook_generation, tenant.webhook_rotated_at, tenant.now)
        ]
        return Message(body=body, headers=sign(delivery.id, tenant.now, body, secrets))

    async def _send(self, delivery: Row[Any], message: Message) -> Answer:
        try:
            async with asyncio.timeout(self._settings.webhook_timeout):
                loop = asyncio.get_running_loop()
                judged = await loop.run_in_executor(self._resolvers, judge, delivery.url, self._settings)
                return await self._poster.post(judged, delivery.attempt - 1, message.body, message.headers)
        except ForbiddenUrl as error:
            return Answer(problem=error.detail, final=True)
        except TimeoutError:
            return Answer(problem=f"No answer within {self._settings.webhook_timeout:g} s.")
        except OSError as error:
            return Answer(problem=f"The host name does not resolve: {error.strerror or error}.")

    def _verdict(self, delivery: Row[Any], answer: Answer) -> Update:
        if answer.delivered:
            return deliveries.delivered(delivery.id, delivery.attempt, answer=answer.status or 0)
        problem = answer.problem or ""
        delay = None if answer.final else self._schedule.delay(delivery.attempt, answer.retry_after)
        if delay is None:
            return deliveries.given_up(delivery.id, delivery.attempt, answer=answer.status, problem=problem)
        return deliveries.postponed(delivery.id, delivery.attempt, delay=delay, answer=answer.status, problem=problem)

    async def _execute(self, statement: Update) -> None:
        async with self._transaction() as connection:
            await connection.execute(statement)

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[AsyncConnection]:
        """A transaction; a burst of them waits here, since the pool's patience is short.

        The pool has room for this and for ingest, each with as many as `db_pool`; so no transaction of either may
        begin outside of its room.
        """
        async with self._room, self._engine.begin() as connection:
            yield connection
