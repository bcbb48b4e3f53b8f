"""Jobs that a dialect shows as one: find, list and cancel them together."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from api.follow.notifier import Notifier
from api.http.auth import Caller
from api.http.database import Database
from api.operations.server_commands import ServerCommands
from core.errors.unknown import UnknownJob
from core.ids import check_id
from jobs.job import Job, job_from_row
from jobs.statements.groups import dialect_page, find_grouped, members
from jobs.statements.queue.tenant_jobs import cancel


class GroupedJobs:
    """Operations on the jobs of one dialect. A group is named like its first job; a job alone is a group of one.

    The name stays when that job is deleted, and stands for those that are left.
    """

    def __init__(self, database: Database, notifier: Notifier, server_commands: ServerCommands) -> None:
        self._database = database
        self._notifier = notifier
        self._server_commands = server_commands

    async def find(self, caller: Caller, first_id: str) -> list[Job]:
        """Return the caller's job of this id, or those of its group. Raises `MalformedId` or `UnknownJob`."""
        rows = await self._database.rows(find_grouped(check_id("job", first_id), caller.tenant))
        if not rows:
            raise UnknownJob
        jobs = [job_from_row(row) for row in rows]
        group = jobs[0].origin.group
        return jobs if group in (None, first_id) else await self.find(caller, group or "")

    async def page(
        self, caller: Caller, dialect: str, *, limit: int, before: tuple[datetime, str] | None
    ) -> tuple[list[list[Job]], Job | None]:
        """Return a page of groups, newest first, and the last job of it where another page follows."""
        rows = await self._database.rows(dialect_page(caller.tenant, dialect, limit=limit + 1, before=before))
        firsts = [job_from_row(row) for row in rows[:limit]]
        together = await self._members(caller, [job.origin.group for job in firsts if job.origin.group is not None])
        groups = [together.get(job.origin.group or job.id) or [job] for job in firsts]
        return groups, firsts[-1] if len(rows) > limit else None

    async def cancel(self, caller: Caller, first_id: str) -> list[Job]:
        """Cancel what has not ended of a group, all in one transaction, and return it as it is now.

        Raises `MalformedId` or `UnknownJob`. May be repeated.
        """
        found = await self.find(caller, first_id)

        async def work(connection: AsyncConnection) -> list[Job]:
            rows = [
                (await connection.execute(cancel(job.id, caller.tenant))).one_or_none()
                for job in sorted(found, key=lambda job: job.id)
            ]
            return [job_from_row(row) for row in rows if row is not None]

        for cancelled in await self._database.transaction(work):
            self._notifier.notify_later(cancelled)
            if cancelled.worker is not None:
                self._server_commands.nudge(cancelled.worker)
        return await self.find(caller, first_id)

    async def _members(self, caller: Caller, groups: Sequence[str]) -> dict[str, list[Job]]:
        """Return the jobs of these groups, by the name of the group."""
        together: dict[str, list[Job]] = defaultdict(list)
        if groups:
            for row in await self._database.rows(members(groups, caller.tenant)):
                job = job_from_row(row)
                together[job.origin.group or job.id].append(job)
        return together
