"""VideoGen's webhooks: flat objects with the name of the event.

Of a group of jobs there is one, when all ended. The events of a file that a tool has made follow from the delivery of
its job, so that the commit of a job need not write them.
"""

from collections.abc import Collection, Sequence

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from core.settings import Settings
from jobs.job import Job, JobStatus, job_from_row
from jobs.media import media_from_row
from jobs.statements.groups import find_grouped, makers
from jobs.statements.media.library import find_media, find_outputs
from jobs.statements.media_events import add_output_events
from jobs.statements.webhooks.groups import jobs_with_delivery, lock_group
from jobs.wire.dialects.videogen import NO_FILES, Files, made_by
from jobs.wire.dialects.videogen_events import DOWNLOADABLE, PLAYABLE, execution_event, file_event, ready_events
from workers.webhooks.dialects.facts import DialectWebhook, LeasedDelivery


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


async def execution_webhook(
    connection: AsyncConnection, delivery: LeasedDelivery, job: Job, events: Collection[str], settings: Settings
) -> DialectWebhook | None:
    """Return the webhook of the end of an execution; None where none is due, or the endpoint is not for it.

    The events of the files that the job has made are added to the outbox first.
    """
    await _add_file_events(connection, delivery, job, events)
    assert delivery.webhook_id is not None
    jobs = await ended_group(connection, job, delivery.webhook_id)
    if not jobs:
        return None
    event = execution_event(jobs, settings, await files_of(connection, jobs))
    return DialectWebhook(body=msgspec.json.encode(event)) if event.event in events else None


async def file_webhook(
    connection: AsyncConnection, delivery: LeasedDelivery, settings: Settings
) -> DialectWebhook | None:
    """Return the webhook of an event of a file, as the file is now; None for one that is deleted."""
    assert delivery.job_id is not None
    row = (await connection.execute(find_media([delivery.job_id], delivery.tenant))).first()
    if row is None:
        return None
    media, maker = media_from_row(row), None
    if media.job_id is not None:
        maker = (await connection.execute(makers([media.job_id], delivery.tenant))).first()
    seconds = delivery.created_at.timestamp()
    event = file_event(delivery.type, seconds, media, settings, made_by(maker) if maker is not None else None)
    return DialectWebhook(body=msgspec.json.encode(event))


async def _add_file_events(
    connection: AsyncConnection, delivery: LeasedDelivery, job: Job, events: Collection[str]
) -> None:
    if job.status is not JobStatus.COMPLETED or not {DOWNLOADABLE, PLAYABLE} & set(events):
        return
    files = await files_of(connection, [job])
    due = [
        (media.id, event)
        for _, media in sorted(files.items(), key=lambda item: item[0])
        for event in ready_events(media.kind)
        if event in events
    ]
    if due:
        await connection.execute(add_output_events(delivery, due))


def _end(job: Job) -> tuple[float, str]:
    return job.finished_at.timestamp() if job.finished_at is not None else 0.0, job.id
