"""Deleting a job with all that it has brought and made."""

from typing import Any

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from api.follow.notifier import Notifier
from api.http.database import Database
from api.operations.server_commands import ServerCommands
from core.errors.unknown import UnknownJob
from core.ids import check_id
from jobs.job import job_from_row
from jobs.statements.media.input_removal import forget as forget_inputs
from jobs.statements.media.library_removal import erase_outputs
from jobs.statements.queue.tenant_jobs import erase, forget_job_deliveries


async def remove_job(
    job_id: str, tenant: str, database: Database, notifier: Notifier, server_commands: ServerCommands
) -> None:
    """Cancel a tenant's job if it runs, and remove its prompt, inputs and outputs.

    Raises `MalformedId` or `UnknownJob`.
    """
    check_id("job", job_id)

    async def work(connection: AsyncConnection) -> Row[Any]:
        row: Row[Any] | None = (await connection.execute(erase(job_id, tenant))).first()
        if row is None:
            raise UnknownJob
        await connection.execute(forget_job_deliveries(job_id))
        await connection.execute(forget_inputs(job_id))
        await connection.execute(erase_outputs(job_id, tenant))
        return row

    row = await database.transaction(work)
    deleted = job_from_row(row)
    notifier.notify_later(deleted)
    if row.unfinished and deleted.worker is not None:
        server_commands.nudge(deleted.worker)
