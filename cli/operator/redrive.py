"""Failed jobs done again, in the database directly: what `atelier jobs redrive` does."""

from collections.abc import Collection, Iterator

import msgspec
from sqlalchemy import Connection, Engine

from core.ids import new_id
from core.settings import Settings
from jobs.job import Job, job_from_row
from jobs.notify import JobNotifier
from jobs.params.media import media_of
from jobs.statements.queue import redrive


class Redriven(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a failed job: the new one, or the reason why there is none."""

    job: Job
    made: Job | None = None
    problem: str | None = None


def dead_jobs(engine: Engine, *, codes: Collection[str], seconds: float, tenant: str | None) -> list[Job]:
    """Jobs that failed with one of the codes within the last `seconds` and were not done again, oldest first."""
    with engine.begin() as connection:
        found = connection.execute(redrive.dead(codes=codes, seconds=seconds, tenant=tenant))
        return [job_from_row(row) for row in found]


def failed_jobs(engine: Engine, job_ids: Collection[str]) -> list[Job]:
    """Those of the jobs that failed and were not done again."""
    with engine.begin() as connection:
        return [job_from_row(row) for row in connection.execute(redrive.failed(job_ids))]


def redrive_jobs(engine: Engine, settings: Settings, failed: Collection[Job]) -> Iterator[Redriven]:
    """Do each again, as a new job in a transaction of its own; safe to stop, and to run twice at once."""
    notifier = JobNotifier.connect(settings)
    for job in failed:
        with engine.begin() as connection:
            outcome = _again(connection, job)
        if outcome.made is not None:
            notifier.notify(outcome.made)
        yield outcome


def _again(connection: Connection, job: Job) -> Redriven:
    if not job.params:
        return Redriven(job=job, problem="its prompt was removed when the retention of prompts ended")
    pending = any(media_of(job.read_params()))
    if pending and not connection.scalar(redrive.count_inputs(job.id)):
        return Redriven(job=job, problem="its inputs were removed when their retention ended")
    made_id = new_id("job")
    if connection.execute(redrive.mark(job.id, made_id)).first() is None:
        return Redriven(job=job, problem="it was done again by somebody else just now, or deleted")
    made = job_from_row(connection.execute(redrive.again(job.id, made_id, pending=pending)).one())
    if pending:
        connection.execute(redrive.again_inputs(job.id, made_id))
    return Redriven(job=job, made=made)
