"""What a job's owner does to it after the submit, and to all that wait."""

from datetime import datetime
from typing import Any

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from api.follow.notifier import Notifier
from api.http.auth import Caller
from api.http.database import Database
from api.operations.server_commands import ServerCommands
from core.errors.conflicts import JobNotWaiting
from core.errors.fields import OutOfRange
from core.errors.unknown import UnknownJob
from core.ids import check_id
from jobs.job import Job, job_from_row
from jobs.statements.media.input_removal import forget as forget_inputs
from jobs.statements.media.library_removal import erase_outputs
from jobs.statements.queue import tenant_jobs
from jobs.statements.queue.tenant_jobs import erase, forget_job_deliveries


class JobControl:
    """Operations on jobs, each in one statement; workers and followers are notified after it."""

    def __init__(self, database: Database, notifier: Notifier, server_commands: ServerCommands) -> None:
        self._database = database
        self._notifier = notifier
        self._server_commands = server_commands

    async def cancel(self, caller: Caller, job_id: str) -> Job | None:
        """Cancel a job; None, and nothing changes, for one that has ended or is not there. Raises `MalformedId`."""
        row = await self._database.row(tenant_jobs.cancel(check_id("job", job_id), caller.tenant))
        if row is None:
            return None
        cancelled = job_from_row(row)
        self._notifier.notify_later(cancelled)
        if cancelled.worker is not None:  # it stops computing now and not at its next beat
            self._server_commands.nudge(cancelled.worker)
        return cancelled

    async def change_priority(self, caller: Caller, job_id: str, priority: int) -> None:
        """Change the priority of a waiting job. Raises `OutOfRange`, `MalformedId`, `UnknownJob`, `JobNotWaiting`."""
        if priority > caller.priority_ceiling:
            raise OutOfRange(f"`priority` must be at most {caller.priority_ceiling} for this key.", field="$.priority")
        changed = tenant_jobs.change_priority(check_id("job", job_id), caller.tenant, priority)
        row = await self._database.row(changed)
        if row is not None:
            self._notifier.notify_later(job_from_row(row))
        elif await self._database.row(tenant_jobs.visible(job_id, caller.tenant)) is None:
            raise UnknownJob
        else:
            raise JobNotWaiting

    async def pause(self, caller: Caller) -> datetime | None:
        """Start none of the tenant's jobs from now on; those that run go on. Returns since when it is so."""
        row = await self._database.row(tenant_jobs.pause(caller.tenant))
        return None if row is None else row.paused_at

    async def resume(self, caller: Caller) -> None:
        """Start jobs of the tenant again."""
        await self._database.row(tenant_jobs.resume(caller.tenant))
        for row in await self._database.rows(tenant_jobs.waiting_queues(caller.tenant)):
            self._notifier.notify_later(job_from_row(row))


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
