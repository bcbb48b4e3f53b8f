"""What ingest writes about inputs and their jobs: each change in one transaction, told after the commit."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from sqlalchemy import Row, Update, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from core.errors import AtelierError
from core.settings import Settings
from jobs.job import JobError, job_from_row
from jobs.notify import JobNotifier
from jobs.params.media import field_of
from jobs.statements.media import inputs

log = logging.getLogger(__name__)

Key = tuple[str, str, int]
"""Job, name and fence of an input that is held."""


class CleanCopy(msgspec.Struct, frozen=True, kw_only=True):
    """A clean copy in the store; `bytes` is its size."""

    key: str
    media_type: str
    bytes: int
    sha256: str


class InputStore:
    """Fenced writes: one whose lease was lost changes nothing. Every method raises what the database raises."""

    def __init__(self, settings: Settings, engine: AsyncEngine) -> None:
        self._settings = settings
        self._engine = engine
        self._room = asyncio.Semaphore(settings.db_pool)
        self._notifier = JobNotifier.connect(settings)
        self._notifying = ThreadPoolExecutor(1, "notify")  # it may wait for the broker

    def close(self) -> None:
        """Stop notifying."""
        self._notifying.shutdown(wait=False, cancel_futures=True)

    async def take(self, limit: int) -> Sequence[Row[Any]]:
        """Lease inputs that are due."""
        statement = inputs.take(
            limit=limit,
            lease_seconds=self._settings.input_lease_seconds,
            max_attempts=self._settings.input_max_attempts,
        )
        return await self._execute(statement)

    async def renew(self, held: Iterable[Key]) -> set[Key]:
        """Extend the leases; those that are still ours, of jobs that still wait."""
        rows = await self._execute(inputs.renew(held, lease_seconds=self._settings.input_lease_seconds))
        return {(row.job_id, row.name, row.fence) for row in rows}

    async def release(self, held: Iterable[Key], *, delay: float = 0.0) -> None:
        """Hand inputs back, their attempts refunded."""
        async with self._transaction() as connection:
            for key in held:
                await connection.execute(inputs.release(*key, delay=delay))

    async def retry(self, row: Row[Any], delay: float, problem: str) -> None:
        """Another attempt in `delay` s."""
        log.info("input %s of %s, attempt %d: %s", row.name, row.job_id, row.attempt, problem)
        await self._execute(inputs.retry(row.job_id, row.name, row.fence, delay=delay, problem=problem))

    async def ready(self, row: Row[Any], stored: CleanCopy) -> None:
        """The clean copy is stored; the job is queued when it was the last."""
        async with self._transaction() as connection:
            waits = (await connection.execute(inputs.lock_job(row.job_id))).first()
            if waits is None:
                await connection.execute(inputs.release(row.job_id, row.name, row.fence))
                return
            statement = inputs.ready(row.job_id, row.name, row.fence, **msgspec.structs.asdict(stored))
            if (await connection.execute(statement)).first() is None:
                return
            changed = (await connection.execute(inputs.queue_job(row.job_id))).one_or_none()
        await self._notify(changed)

    async def fail(self, row: Row[Any], error: AtelierError) -> None:
        """The input can not be had, and its job fails with the reason."""
        reason = JobError(error.code, f"`{field_of(row.name)}`: {error.detail}")
        async with self._transaction() as connection:
            waits = (await connection.execute(inputs.lock_job(row.job_id))).first()
            statement = inputs.fail(row.job_id, row.name, row.fence, problem=error.detail)
            if (await connection.execute(statement)).first() is None or waits is None:
                return
            changed = (await connection.execute(inputs.fail_job(row.job_id, reason))).one_or_none()
        await self._notify(changed)

    async def _notify(self, row: Row[Any] | None) -> None:
        if row is not None:
            job = job_from_row(row)
            log.info("job %s is %s%s", job.id, job.status, f": {job.error.message}" if job.error else "")
            await asyncio.get_running_loop().run_in_executor(self._notifying, self._notifier.notify, job)

    async def _execute(self, statement: Update) -> Sequence[Row[Any]]:
        async with self._transaction() as connection:
            return (await connection.execute(statement)).all()

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[AsyncConnection]:
        """A transaction; a burst of them waits here, since the pool's patience is short. It waits for no lock for long:
        a purge holds the inputs of deleted jobs while it removes objects, and leases must be renewed meanwhile.
        """
        async with self._room, self._engine.begin() as connection:
            await connection.execute(text(f"SET LOCAL lock_timeout = {round(1000 * self._settings.db_timeout)}"))
            yield connection
