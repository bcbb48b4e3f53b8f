"""VideoGen's webhook: a flat object with the name of the event; of a group of jobs there is one, when all ended."""

from collections.abc import Collection, Sequence

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from core.settings import Settings
from jobs.job import Job, job_from_row
from jobs.media import media_from_row
from jobs.statements.groups import find_grouped
from jobs.statements.media.library import find_outputs
from jobs.statements.webhooks.groups import jobs_with_delivery, lock_group
from jobs.wire.dialects.videogen import NO_FILES, Files, execution_event
from workers.webhooks.dialects.facts import DialectWebhook


async def ended_group(connection: AsyncConnection, job: Job, webhook_id: str) -> list[Job]:
    """Return the jobs of a group that has ended, if this job's delivery is the one to send; else no job.

    That is the delivery of the job that ended last, of those that are left: one whose delivery is composed while others
    are under way drops it. The lock makes a worker that looks at the same time see the one or the other.
    """
    if job.origin.group is None:
        return [job]
    await connection.execute(lock_group(job.origin.group, webhook_id))
    rows = await connection.execute(find_grouped(job.origin.group, job.tenant))
    jobs = [job_from_row(row) for row in rows]
    if any(one.finished_at is None for one in jobs):
        return []
    left = set((await connection.execute(jobs_with_delivery([one.id for one in jobs], webhook_id))).scalars())
    last = max((one for one in jobs if one.id in left or one.id == job.id), key=_end)
    return jobs if last.id == job.id else []


async def files_of(connection: AsyncConnection, jobs: Sequence[Job]) -> Files:
    """Return the items that the outputs of jobs are in the media library."""
    if not any(job.artifacts for job in jobs):
        return NO_FILES
    rows = await connection.execute(find_outputs([job.id for job in jobs], jobs[0].tenant))
    items = [media_from_row(row) for row in rows]
    return {(media.job_id or "", media.output_number or 0): media for media in items}


def videogen_webhook(
    jobs: Sequence[Job], events: Collection[str], settings: Settings, files: Files
) -> DialectWebhook | None:
    """Return the webhook of the end of an execution; None for an event that the endpoint is not for."""
    event = execution_event(jobs, settings, files)
    return DialectWebhook(body=msgspec.json.encode(event)) if event.event in events else None


def _end(job: Job) -> tuple[float, str]:
    return job.finished_at.timestamp() if job.finished_at is not None else 0.0, job.id
