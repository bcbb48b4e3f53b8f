"""Idempotency-Keys: a key is claimed in the transaction that adds its job, and leads to that job for a day."""

from sqlalchemy.ext.asyncio import AsyncConnection

from api.submit.validation import IdempotencyKey
from core.errors.fields import IdempotencyMismatch
from core.errors.unknown import UnknownJob
from jobs.job import Job, job_from_row
from jobs.statements.queue.submit import remember, remembered, repeated


async def claim_key(connection: AsyncConnection, tenant: str, key: IdempotencyKey | None, job_id: str) -> Job | None:
    """Claim the Idempotency-Key for a new job, if there is one; return the job that it already made."""
    if key is None or (await connection.execute(remember(tenant, key.key, key.digest, job_id))).first() is not None:
        return None
    return await find_repeated(connection, tenant, key)


async def find_repeated(connection: AsyncConnection, tenant: str, key: IdempotencyKey | None) -> Job | None:
    """Return the job that the Idempotency-Key already made, if any. Raises `IdempotencyMismatch` or `UnknownJob`."""
    entry = None if key is None else (await connection.execute(remembered(tenant, key.key))).first()
    if key is None or entry is None:
        return None
    if entry.body_sha256 != key.digest:
        raise IdempotencyMismatch(field="header.Idempotency-Key")
    row = (await connection.execute(repeated(entry.job_id, tenant))).first()
    if row is None:
        raise UnknownJob("The job that this Idempotency-Key made was deleted; use a new key for a new job.")
    return job_from_row(row)
