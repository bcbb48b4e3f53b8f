"""A worker's writes about jobs: each is one transaction, and retried while the database is away."""

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, Executable, Update
from sqlalchemy.exc import ProgrammingError

from core.database import autocommitted, is_unreachable, set_statement_timeout
from core.retry import Backoff, retry
from core.settings import Settings
from jobs.events import JobEvent
from jobs.job import NO_TIME, Artifact, DeviceTime, Job, JobError, JobRun, JobStatus, job_from_row
from jobs.manifests.environment import Environment
from jobs.notify import JobNotifier
from jobs.statements.maintenance import recovery
from jobs.statements.manifests.environments import add_environment
from jobs.statements.media import inputs
from jobs.statements.queue import claim as claims
from jobs.statements.queue import claim_function, claimed, commit_function, tenant_jobs
from workers.function_fallback import FunctionFallback

log = logging.getLogger(__name__)

T = TypeVar("T")
AWAY_SECONDS = 600.0
"""How long a statement is retried; a final one is until the job's deadline, since nothing is to be computed twice."""
BACKOFF = Backoff(first=0.1, longest=5.0)


class JobStore:
    """Fenced writes of one worker.

    Every method that ends or changes a claim returns the job as it now is, or None when the claim was gone. Workers and
    followers are notified after the commit.
    """

    def __init__(self, db: Engine, settings: Settings) -> None:
        self._db = db
        self._single = autocommitted(db)
        self._settings = settings
        self._notifier = JobNotifier.connect(settings)
        self._closing = threading.Event()
        self._fallback = FunctionFallback()
        self._environments: set[str] = set()
        """Digests of the environments that this process has written."""

    def close(self) -> None:
        """Stop waiting for a database that is away."""
        self._closing.set()

    def claim(self, claimant: claims.Claimant, equal_to: Job | None = None) -> Job | None:
        """Claim the best job for this worker, with `equal_to` only if it can share that one's run.

        Raises what the database raises.
        """
        job = self._by_function(
            lambda by_function: self._change(
                (claim_function.call if by_function else claims.claim)(
                    claimant,
                    lease_seconds=self._settings.lease_seconds,
                    warm_bound_seconds=self._settings.warm_bound_seconds,
                ),
                {claims.EQUAL_TO: None if equal_to is None else equal_to.id},
            )
        )
        self._notify(job)
        return job

    def clean_copies(self, job: Job) -> dict[str, str]:
        """Return the keys of the job's clean inputs, by name."""
        statement = inputs.clean_copies(job.id)
        return self._persist(lambda connection: dict(connection.execute(statement).tuples().all()))

    def show_progress(self, event: JobEvent) -> None:
        """Publish progress; the next beat writes it."""
        self._notifier.show_progress(event)

    def note_environment(self, job: Job, digest: str, environment: Environment) -> None:
        """Write down an environment, once, before the first job that this process has made in it is completed."""
        if digest not in self._environments:
            added = add_environment(digest, environment)
            self._persist(lambda connection: connection.execute(added), _patience(job))
            self._environments.add(digest)

    def commit(
        self,
        job: Job,
        artifacts: Sequence[Artifact],
        warnings: Sequence[str],
        cost: float,
        *,
        metered: float | None = None,
        used: DeviceTime = NO_TIME,
        run: JobRun | None = None,
    ) -> Job | None:
        """Complete the job; `metered` is the cost of what was `used`, where that counts.

        A connection that is lost while it commits leaves open whether it did. The repeated statement then matches no
        row, and only the row shows that this claim completed the job.
        """
        completed = self._by_function(
            lambda by_function: self._settle(
                job,
                (commit_function.call if by_function else claimed.commit)(
                    job.id,
                    job.fence,
                    artifacts=artifacts,
                    warnings=warnings,
                    cost=cost,
                    metered=metered,
                    used=used,
                    run=run,
                ),
            )
        )
        return completed or self._persist(lambda connection: _completed(connection, job), _patience(job))

    def fail(self, job: Job, error: JobError, used: DeviceTime = NO_TIME) -> Job | None:
        """End the job with an error."""
        return self._settle(job, claimed.fail(job.id, job.fence, error, used))

    def lose(self, job: Job, error: JobError, used: DeviceTime = NO_TIME) -> Job | None:
        """Give up this attempt: the job is queued again, or failed with `error` when it was the last."""
        backoff = self._settings.retry_backoff
        return self._settle(job, claimed.lose(job.id, job.fence, backoff=backoff, error=error, used=used))

    def release(self, job: Job, used: DeviceTime = NO_TIME) -> Job | None:
        """Hand the job back unharmed, its attempt refunded."""
        return self._settle(job, claimed.release(job.id, job.fence, used))

    def postpone(self, job: Job, used: DeviceTime = NO_TIME) -> Job | None:
        """Hand the job back since the store refused its objects: for later, its attempt refunded."""
        return self._settle(job, claimed.postpone(job.id, job.fence, delay=self._settings.retry_backoff, used=used))

    def note_use(self, job: Job, used: DeviceTime) -> None:
        """Note what was used for a job that was ended meanwhile; not for one that another worker has."""
        self._try(claimed.note_use(job.id, job.fence, used), "use", job)

    def note_refusal(self, job: Job) -> bool:
        """Note that the store refuses the job's outputs; returns False when the database did not answer."""
        return self._try(claimed.note_refusal(job.id, job.fence), "refusal", job)

    def has_ended(self, job: Job) -> bool:
        """Return whether a job has ended or is deleted; False while the database does not say."""
        try:
            with self._single.connect() as connection:
                row = connection.execute(tenant_jobs.by_id(job.id)).one_or_none()
        except Exception as error:
            log.warning("job: not read job=%s reason=%r", job.id, str(error))
            return False
        return row is None or job_from_row(row).status.terminal

    def reclaim(self, server_id: str, incarnation: int) -> None:
        """Take the jobs that earlier incarnations of this server left behind."""

        def work(connection: Connection) -> list[Job]:
            return [job_from_row(row) for row in connection.execute(recovery.reclaim(server_id, incarnation))]

        for job in self._persist(work):
            log.warning("job: lost with an earlier incarnation job=%s status=%s", job.id, job.status)
            self._notify(job)

    def _try(self, statement: Update, name: str, job: Job) -> bool:
        """Execute a statement about a job once; returns False when the database did not answer."""
        try:
            with self._db.begin() as connection:
                connection.execute(set_statement_timeout(self._settings.db_timeout))
                connection.execute(statement)
        except Exception as error:
            log.warning("%s: not written job=%s reason=%r", name, job.id, str(error))
            return False
        return True

    def _by_function(self, execute: Callable[[bool], Job | None]) -> Job | None:
        """Execute a change by a function of the database, or by its statement while the database lacks functions."""
        if self._fallback.active:
            return execute(False)
        try:
            return execute(True)
        except ProgrammingError as error:
            if not self._fallback.begin_for(error):
                raise
            return execute(False)

    def _settle(self, job: Job, statement: Executable) -> Job | None:
        """Execute a fenced change, and notify of it."""

        def work(connection: Connection) -> Job | None:
            row = connection.execute(statement).one_or_none()
            return None if row is None else job_from_row(row)

        settled = self._persist(work, _patience(job))
        self._notify(settled)
        return settled

    def _change(self, statement: Executable, parameters: Mapping[str, Any]) -> Job | None:
        with self._single.connect() as connection:
            row = connection.execute(statement, parameters).one_or_none()
        return None if row is None else job_from_row(row)

    def _persist(self, work: Callable[[Connection], T], seconds: float = AWAY_SECONDS, db: Engine | None = None) -> T:
        """Do `work` in a connection, by default a single statement; do it again while the database is away, so long."""
        db = self._single if db is None else db

        def transaction() -> T:
            with db.begin() as connection:
                return work(connection)

        return retry(
            transaction,
            name="database",
            is_transient=is_unreachable,
            backoff=BACKOFF,
            seconds=seconds,
            wait=self._closing.wait,
        )

    def _notify(self, job: Job | None) -> None:
        if job is not None:
            self._notifier.notify(job)


def _patience(job: Job) -> float:
    """Return the seconds for which what became of a claim is worth writing: those from claim to deadline at least."""
    allowed = 0.0 if job.started_at is None else (job.deadline_at - job.started_at).total_seconds()
    return max(AWAY_SECONDS, allowed)


def _completed(connection: Connection, job: Job) -> Job | None:
    """Return the job, if it was completed under this very claim."""
    row = connection.execute(tenant_jobs.by_id(job.id)).one_or_none()
    found = None if row is None else job_from_row(row)
    return found if found and (found.fence, found.status) == (job.fence, JobStatus.COMPLETED) else None
