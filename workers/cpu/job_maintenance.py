"""Maintenance of jobs: lost leases, passed deadlines, deletions, old inputs and Idempotency-Keys.

Any number of CPU workers may run. A change of rows is one transaction under an advisory lock of its own. A removal of
objects is the turn of one worker (table `chores`): one short transaction before it and one after it, and none while the
object store is asked. Redis is notified after the commit, and is not needed.
"""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

from sqlalchemy import Connection, Engine, Executable, Row, Select
from sqlalchemy.exc import OperationalError

from core.database import LOCK_NOT_AVAILABLE, set_lock_timeout, state_of
from core.errors.failures import InputUnreachable
from core.errors.unavailable import StorageUnavailable
from core.metrics import UPKEEP
from core.settings import Settings
from core.storage.store import Store
from jobs.job import Job, JobError, job_from_row
from jobs.media import media_from_row
from jobs.notify import JobNotifier
from jobs.params.media import field_of
from jobs.statements.maintenance import recovery, retention
from jobs.statements.media import input_removal, inputs, library_work, uploads
from jobs.statements.webhooks import receiver_breaker
from workers.cpu.contact import Contact

log = logging.getLogger(__name__)

PURGE_SECONDS = 10.0
"""How long one turn may continue to remove."""
TURN_SECONDS = 300.0
"""How long a turn is another worker's at most; a store that hangs is given up long before."""
MAX_FAILURES = 3
"""After so many failures in a row the store counts as unavailable."""


class JobMaintenance:
    """The tasks. Every method returns whether more of the same is waiting; none is called twice at once."""

    def __init__(
        self, settings: Settings, db: Engine, store: Store, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._settings = settings
        self._db = db
        self._store = store
        self._notifier = JobNotifier.connect(settings)
        spare = settings.lease_seconds - settings.renew_seconds  # what a lease has left whenever it is renewed in time
        self.contact = Contact(max(spare / 2, 3 * settings.upkeep_seconds), clock)
        """The contact by which lost leases are judged; the watch over what is due notes more answers there."""
        self._grace_seconds = settings.lease_seconds / 2

    def recover_jobs(self) -> bool:
        """Requeue the jobs of lost workers, and fail jobs past their deadline or with lost inputs.

        After an outage of the database, and at the start, the workers that live have time to renew their leases, or to
        commit what they computed meanwhile, before any job or input counts as lost.
        """
        lost, stuck = [], []
        try:
            late = self._change("expire", recovery.expire)
            self.contact.note_answer()
            if self.contact.seconds >= self._grace_seconds:
                # At once: the pause that a lost worker's job may need was the rest of its lease.
                lost = self._change("reap", partial(recovery.reap, backoff=0.0))
                stuck = self._fail_lost_inputs()
        except Exception:
            self.contact.note_failure()
            raise
        return max(len(lost), len(late), len(stuck)) >= recovery.BATCH

    def purge_jobs(self) -> bool:
        """Remove the objects of deleted jobs: now, and once more when no worker can still be writing them."""
        delay = self._settings.purge_delay

        def done(row: Row[Any]) -> list[Executable]:
            final = (row.now - row.deleted_at).total_seconds() >= delay
            return [
                input_removal.forget(row.id),
                recovery.forget_job(row.id) if final else recovery.postpone_purge(row.id, delay),
            ]

        def later(row: Row[Any]) -> list[Executable]:
            return [recovery.postpone_purge(row.id, self._settings.retry_backoff)]

        return self._remove("purge", recovery.due_purges(), self._remove_objects, done, later)

    def remove_inputs(self) -> bool:
        """Remove the inputs of jobs that ended longer ago than `ATELIER_INPUT_KEEP_SECONDS`, or were cancelled."""
        again = self._remove_inputs(input_removal.cancelled())
        return self._remove_inputs(input_removal.finished(self._settings.input_keep_seconds)) or again

    def remove_uploads(self) -> bool:
        """Remove expired uploads; an upload that a job waits for stays until the job has it."""
        due = uploads.old_uploads(self._settings.upload_seconds)
        remove = lambda row: self._store.remove_prefix(row.key)  # noqa: E731
        return self._remove("uploads", due, remove, lambda row: [uploads.forget_upload(row.id)])

    def forget_keys(self) -> bool:
        """Forget expired Idempotency-Keys, and receivers of webhooks that have not failed for a day."""
        with self._locked("forget-keys") as connection:
            if connection:
                UPKEEP.labels("forget-keys").inc(connection.execute(recovery.forget_keys()).rowcount)
                for statement in (receiver_breaker.forget_receivers(), receiver_breaker.forget_hosts()):
                    UPKEEP.labels("forget-receivers").inc(connection.execute(statement).rowcount)
        return False

    def _change(self, name: str, statement_of: Callable[..., Select[Any]]) -> list[Job]:
        """Execute a change of jobs; one that waits too long for a tenant is made for the others.

        A process that was stopped, or cut off, between two statements of a transaction may hold a tenant locked for as
        long as the server lets it.
        """
        try:
            changed = self._execute_alone(name, statement_of())
        except OperationalError as error:
            if state_of(error) != LOCK_NOT_AVAILABLE:
                raise
            log.warning("%s: a tenant is locked; the others first", name)
            changed = self._execute_alone(name, statement_of(skip_locked_tenants=True))
        for job in changed:
            UPKEEP.labels(name).inc()
            log.info("%s: %s is %s after attempt %d of %d", name, job.id, job.status, job.attempt, job.max_attempts)
        self._notifier.notify(*changed)
        return changed

    def _execute_alone(self, name: str, statement: Select[Any]) -> list[Job]:
        with self._locked(name) as connection:
            if connection is None:
                return []
            connection.execute(set_lock_timeout(self._settings.db_timeout))
            return [job_from_row(row) for row in connection.execute(statement)]

    def _fail_lost_inputs(self) -> list[Job]:
        """Fail the jobs of inputs whose last attempt was lost with its worker."""
        with self._locked("lost-inputs") as connection:
            statement = inputs.lost(max_attempts=self._settings.input_max_attempts)
            lost = connection.execute(statement).all() if connection else ()
        failed = [job for row in lost if (job := self._fail_input(row)) is not None]
        UPKEEP.labels("lost-inputs").inc(len(failed))
        self._notifier.notify(*failed)
        return failed

    def _fail_input(self, row: Row[Any]) -> Job | None:
        """Fail the job of a lost input and return it; None when it has changed meanwhile, or its tenant is locked."""
        problem = "Every worker that fetched it was lost; submit the job again."
        try:
            with self._db.begin() as connection:
                connection.execute(set_lock_timeout(self._settings.db_timeout))
                connection.execute(inputs.lock_job(row.job_id))
                if connection.execute(inputs.fail(row.job_id, row.name, row.fence, problem=problem)).first() is None:
                    return None
                reason = JobError(InputUnreachable.code, f"`{field_of(row.name)}`: {problem}")
                changed = connection.execute(inputs.fail_job(row.job_id, reason)).one_or_none()
        except OperationalError as error:
            if state_of(error) != LOCK_NOT_AVAILABLE:
                raise
            log.warning("lost-inputs: a tenant is locked job=%s", row.job_id)
            return None
        return None if changed is None else job_from_row(changed)

    def _remove_inputs(self, due: Select[Any]) -> bool:
        remove = lambda row: self._store.remove_prefix(f"{row.tenant}/{row.id}/inputs/")  # noqa: E731
        return self._remove("inputs", due, remove, lambda row: [input_removal.forget(row.id)])

    def _remove_objects(self, row: Row[Any]) -> int:
        """Remove the objects of a deleted job, but for outputs that the media library keeps; return their number."""
        with self._db.begin() as connection:
            items = [media_from_row(item) for item in connection.execute(library_work.kept_outputs(row.id))]
        prefix, kept = f"{row.tenant}/{row.id}/", {key for item in items for key in item.keys}
        if not kept:
            return self._store.remove_prefix(prefix)
        removed = [key for key in self._store.keys(prefix) if key not in kept]
        for key in removed:
            self._store.remove(key)
        return len(removed)

    def _remove(
        self,
        name: str,
        due: Select[Any],
        remove: Callable[[Row[Any]], int],
        done: Callable[[Row[Any]], list[Executable]],
        later: Callable[[Row[Any]], list[Executable]] = lambda row: [],
    ) -> bool:
        """Remove the objects of every due row; execute the statements of `done`, or of `later` where that fails."""
        until, failures = time.monotonic() + PURGE_SECONDS, 0
        rows = self._begin_turn(name, due)
        more = len(rows) >= recovery.BATCH
        changes: list[Executable] = []
        for row in rows:
            try:
                removed = remove(row)
                failures = 0
                log.info("%s: removed id=%s objects=%d", name, row.id, removed)
            except StorageUnavailable as error:
                # One prefix that cannot be removed must not delay the others; an unavailable store would.
                log.warning("%s: not removed id=%s reason=%s", name, row.id, error.detail)
                failures += 1
            changes += later(row) if failures else done(row)
            UPKEEP.labels(name).inc(not failures)
            if failures == MAX_FAILURES or time.monotonic() > until:
                more = failures < MAX_FAILURES
                break
        if rows:
            with self._db.begin() as connection:
                for statement in (*changes, retention.end_turn(name)):
                    connection.execute(statement)
        return more

    def _begin_turn(self, name: str, due: Select[Any]) -> Sequence[Row[Any]]:
        """Take the turn at a task, and return its due rows; none while another worker has the turn."""
        with self._db.begin() as connection:
            rows = connection.execute(due).all()
            if rows and connection.execute(retention.turn(name, TURN_SECONDS)).one_or_none() is None:
                return ()
            return rows

    @contextmanager
    def _locked(self, name: str) -> Iterator[Connection | None]:
        """Open a transaction, and yield None unless this worker alone carries out the task of that name."""
        with self._db.begin() as connection:
            alone = connection.scalar(recovery.try_lock(f"atelier.{name}"))
            yield connection if alone else None
