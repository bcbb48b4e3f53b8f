"""Upkeep: what time does to jobs. Lost leases, passed deadlines, deletions, old Idempotency-Keys.

Each chore is one transaction under an advisory lock of its own, so that any number of CPU workers may run. Redis is
told after the commit, and not needed.
"""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine, Update

from jobs.doorbell import Doorbell
from jobs.errors import StorageUnavailable
from jobs.events import Publisher
from jobs.job import Job, JobStatus, job_from_row
from jobs.settings import Settings
from jobs.statements import run, upkeep
from jobs.storage import Store

log = logging.getLogger(__name__)

PURGE_SECONDS = 10.0
"""How long one transaction may go on purging."""
FAILURES = 3
"""After so many in a row the store is taken to be away."""


class Upkeep:
    """The chores. Every method returns whether more of the same is waiting; none is called twice at once."""

    def __init__(self, settings: Settings, engine: Engine, store: Store) -> None:
        self._settings = settings
        self._engine = engine
        self._store = store
        self._publisher = Publisher(settings)
        self._doorbell = Doorbell(settings)

    def jobs(self) -> bool:
        """Take jobs back from lost workers, and fail jobs past their deadline."""
        lost = self._change("reap", upkeep.reap(backoff=self._settings.retry_backoff))
        late = self._change("expire", upkeep.expire())
        return max(len(lost), len(late)) >= upkeep.BATCH

    def purge(self) -> bool:
        """Remove the objects of deleted jobs: now, and once more when no worker can still be writing any."""
        enough, failures = time.monotonic() + PURGE_SECONDS, 0
        delay = self._settings.purge_delay
        with self._locked("purge") as connection:
            if connection is None:
                return False
            due = connection.execute(upkeep.due_purges()).all()
            for row in due:
                try:
                    removed = self._store.remove_prefix(f"{row.tenant}/{row.id}/")
                except StorageUnavailable as error:
                    # One prefix that can not be removed must not hold up the others; a store that is away would.
                    log.warning("purge: %s: %s", row.id, error.detail)
                    connection.execute(upkeep.postpone_purge(row.id, self._settings.retry_backoff))
                    failures += 1
                    if failures == FAILURES:
                        return False
                    continue
                failures = 0
                log.info("purge: %s, %d objects removed", row.id, removed)
                final = (row.now - row.deleted_at).total_seconds() >= delay
                connection.execute(upkeep.forget_job(row.id) if final else upkeep.postpone_purge(row.id, delay))
                if time.monotonic() > enough:
                    return True
        return len(due) >= upkeep.BATCH

    def keys(self) -> bool:
        """Forget Idempotency-Keys whose time is over."""
        with self._locked("forget-keys") as connection:
            if connection:
                connection.execute(upkeep.forget_keys())
        return False

    def _change(self, name: str, statement: Update) -> list[Job]:
        changed: list[Job] = []
        with self._locked(name) as connection:
            if connection:
                changed = [job_from_row(row) for row in connection.execute(statement)]
                for outbox_row in map(run.tell, changed):
                    if outbox_row is not None:
                        connection.execute(outbox_row)
        for job in changed:
            log.info("%s: %s is %s after attempt %d of %d", name, job.id, job.status, job.attempt, job.max_attempts)
        self._publisher.publish(changed)
        for job in changed:
            if job.status is JobStatus.QUEUED:
                self._doorbell.ring(job)
        return changed

    @contextmanager
    def _locked(self, name: str) -> Iterator[Connection | None]:
        """A transaction, if no other worker is in the chore of that name; else None."""
        with self._engine.begin() as connection:
            alone = connection.scalar(upkeep.try_lock(f"atelier.{name}"))
            yield connection if alone else None
