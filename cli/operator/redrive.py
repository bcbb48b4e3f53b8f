"""The redrive of failed jobs, directly in the database, for `atelier jobs redrive`."""

from collections.abc import Collection, Iterator

import msgspec
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from api.submit.helper_models import asked_server, choose_server, model_with_needs
from core.database import state_of
from core.errors.fields import InvalidRequest
from core.ids import new_id
from core.settings import Settings
from jobs.job import Job, job_from_row
from jobs.notify import JobNotifier
from jobs.params.media import media_of
from jobs.statements.budget import SPENT
from jobs.statements.queue import redrive
from jobs.statements.servers import serving
from pipelines.catalog.loader import Catalog, load_catalog


class Redriven(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome of one redrive: the new job of a failed one, or the problem that prevented it."""

    job: Job
    new: Job | None = None
    problem: str | None = None


def jobs_failed_with(db: Engine, *, codes: Collection[str], seconds: float, tenant: str | None) -> list[Job]:
    """Return the jobs that failed with one of the codes in the last `seconds` and have no new job, oldest first."""
    with db.begin() as connection:
        rows = connection.execute(redrive.dead(codes=codes, seconds=seconds, tenant=tenant))
        return [job_from_row(row) for row in rows]


def failed_jobs(db: Engine, job_ids: Collection[str]) -> list[Job]:
    """Return those of the jobs that failed and have no new job."""
    with db.begin() as connection:
        return [job_from_row(row) for row in connection.execute(redrive.failed(job_ids))]


def redrive_jobs(db: Engine, settings: Settings, failed: Collection[Job]) -> Iterator[Redriven]:
    """Submit each job again, in a transaction of its own; safe to interrupt, and to run twice at once."""
    notifier, catalog = JobNotifier.connect(settings), load_catalog(settings.catalog or None)
    for job in failed:
        try:
            with db.begin() as connection:
                outcome = _redrive(connection, job, catalog)
        except InvalidRequest:
            outcome = Redriven(job=job, problem="no running server has its model and what it needs beside it")
        except DBAPIError as error:
            if state_of(error) != SPENT:
                raise
            outcome = Redriven(job=job, problem="the budget of its tenant has no room for its price")
        if outcome.new is not None:
            notifier.notify(outcome.new)
        yield outcome


def _redrive(connection: Connection, job: Job, catalog: Catalog) -> Redriven:
    if not job.params:
        return Redriven(job=job, problem="its prompt was removed when the retention of prompts ended")
    params = job.read_params()
    pending = any(media_of(params))
    if pending and not connection.scalar(redrive.count_inputs(job.id)):
        return Redriven(job=job, problem="its inputs were removed when their retention ended")
    servers = None
    spec = model_with_needs(catalog, job.model, params)
    if spec is not None:
        found = connection.execute(serving(spec.id, job.tenant)).all()
        servers = choose_server(asked_server(params), found, catalog, spec, params)
    new_job_id = new_id("job")
    if connection.execute(redrive.mark(job.id, new_job_id)).first() is None:
        return Redriven(job=job, problem="it was deleted or redriven by another command just now")
    new = job_from_row(connection.execute(redrive.again(job.id, new_job_id, pending=pending, servers=servers)).one())
    if pending:
        connection.execute(redrive.again_inputs(job.id, new_job_id))
    return Redriven(job=job, new=new)
