"""The store of inputs and their jobs: each change is one transaction, whose events are sent after the commit."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from sqlalchemy import Row, Update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from core.database import set_lock_timeout
from core.errors.base import AtelierError
from core.settings import Settings
from jobs.job import JobError, job_from_row
from jobs.notify import JobNotifier
from jobs.params.media import PICTURE, field_of
from jobs.statements.media import inputs
from pipelines.catalog.requirements import MASK

log = logging.getLogger(__name__)

Key = tuple[str, str, int]
"""Job, name and fence of a leased input."""
COUNTERPARTS = {MASK: PICTURE, PICTURE: MASK}
"""The inputs that must be of one size."""


class CleanCopy(msgspec.Struct, frozen=True, kw_only=True):
    """A clean copy in the object store; `bytes` is its size."""

    key: str
    media_type: str
    bytes: int
    sha256: str


class NotCompared(Exception):
    """A mask, or a picture with one, whose counterpart is stored under `key`: the two are to be compared first."""

    def __init__(self, key: str) -> None:
        self.key = key
        super().__init__(key)


class InputStore:
    """Fenced writes, without effect after the loss of the lease. Every method raises what the database raises."""

    def __init__(self, settings: Settings, db: AsyncEngine) -> None:
        self._settings = settings
        self._db = db
        self._transactions = asyncio.Semaphore(settings.db_pool)
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
            tenant_bytes=self._settings.input_tenant_bytes,
        )
        return await self._execute(statement)

    async def model_of(self, job_id: str) -> str:
        """Return the model of the job of a leased input."""
        async with self._transaction() as connection:
            return str((await connection.execute(inputs.model_of(job_id))).scalar_one())

    async def renew(self, keys: Iterable[Key]) -> set[Key]:
        """Extend the leases, and return the keys that are still leased here and whose jobs still wait."""
        rows = await self._execute(inputs.renew(keys, lease_seconds=self._settings.input_lease_seconds))
        return {(row.job_id, row.name, row.fence) for row in rows}

    async def release(self, keys: Iterable[Key], *, delay: float = 0.0) -> None:
        """Release inputs for other workers, their attempts refunded."""
        for key in keys:  # one by one: a change of a job locks several of its inputs, in an order of its own
            await self._execute(inputs.release(*key, delay=delay))

    async def retry(self, row: Row[Any], delay: float, problem: str) -> None:
        """Schedule another attempt in `delay` seconds."""
        log.info("input: retry job=%s name=%s attempt=%d reason=%s", row.job_id, row.name, row.attempt, problem)
        await self._execute(inputs.retry(row.job_id, row.name, row.fence, delay=delay, problem=problem))

    async def complete(self, row: Row[Any], stored: CleanCopy, *, compared: str | None = None) -> bool:
        """Record the clean copy, and queue the job when that was its last input.

        Returns False where the job was cancelled meanwhile, so that the copy is to be removed. Raises `NotCompared`,
        and changes nothing, where the counterpart is there and is not the copy that was `compared`. Of a mask and its
        picture the one that comes last sees the other, since the job is locked.
        """
        async with self._transaction() as connection:
            waits = (await connection.execute(inputs.lock_job(row.job_id))).first()
            if waits is None:
                await connection.execute(inputs.release(row.job_id, row.name, row.fence))
                return (await connection.execute(inputs.is_cancelled(row.job_id))).first() is None
            if row.name in COUNTERPARTS:
                copies = {each.name: each.key for each in await connection.execute(inputs.clean_copies(row.job_id))}
                counterpart = copies.get(COUNTERPARTS[row.name])
                if counterpart not in (None, compared):
                    raise NotCompared(counterpart)
            statement = inputs.ready(row.job_id, row.name, row.fence, **msgspec.structs.asdict(stored))
            if (await connection.execute(statement)).first() is None:
                return True
            changed = (await connection.execute(inputs.queue_job(row.job_id))).one_or_none()
        await self._notify(changed)
        return True

    async def fail(self, row: Row[Any], error: AtelierError) -> None:
        """Fail the input, and its job with the reason."""
        name = error.field.removeprefix("$.") if error.field else field_of(row.name)
        reason = JobError(error.code, f"`{name}`: {error.detail}")
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
            log.info("job: %s job=%s reason=%s", job.status, job.id, job.error and job.error.message)
            await asyncio.get_running_loop().run_in_executor(self._notifying, self._notifier.notify, job)

    async def _execute(self, statement: Update) -> Sequence[Row[Any]]:
        async with self._transaction() as connection:
            return (await connection.execute(statement)).all()

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[AsyncConnection]:
        """Open a transaction; a burst of them waits here, since the pool times out soon.

        It waits for locks only briefly: leases must be renewed meanwhile.
        """
        async with self._transactions, self._db.begin() as connection:
            await connection.execute(set_lock_timeout(self._settings.db_timeout))
            yield connection
