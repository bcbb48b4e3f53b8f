"""The CPU worker's turns at batches: lines are submitted, a bounded number at once, and the answers are written.

One worker at a time has a batch: its row is locked while lines are submitted, and not looked at by others while answers
are written. A worker that is killed leaves nothing half done: the job of a line and the mark on it are one transaction,
and a file that no row names is an orphan.
"""

import logging
import tempfile
from collections.abc import Sequence
from pathlib import Path

import msgspec
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from core.database import state_of
from core.errors.limits import BudgetExhausted
from core.errors.unavailable import StorageUnavailable
from core.ids import new_id
from core.metrics import UPKEEP
from core.settings import Settings
from core.storage.store import Store
from jobs.batches import FILE, LineProblem, RequestBatch, batch_from_row, file_key
from jobs.job import Job, job_from_row
from jobs.notify import JobNotifier
from jobs.statements.batches import files, work
from jobs.statements.budget import FULL, SPENT
from jobs.statements.queue.submit import NewJob, submit
from jobs.statements.queue.tenant_jobs import cancel
from jobs.wire.dialects.openai import QUOTA
from workers.batches.answers import WRITE_SECONDS, AnswerWriter

log = logging.getLogger(__name__)

IN_FLIGHT = 32
"""Jobs of one batch that wait or run at the same time: enough for several GPUs, and few before those of others."""
TURN_SECONDS = 1.0
"""How often a batch is looked at."""
RETRY_SECONDS = 15.0
KEEP_SECONDS = 30 * 86_400.0
"""How long files of answers, and batches that have ended, are kept."""
MEDIA_TYPE = "application/jsonl"
CANCELLED = LineProblem("batch_cancelled", "The batch was cancelled before this line was submitted.")
EXPIRED = LineProblem("batch_expired", "The time of the batch was over before this line was submitted.")
NO_BUDGET = LineProblem(QUOTA, BudgetExhausted.advice, 429)
ENDS = {"cancelling": "cancelled", "expiring": "expired"}
"""What a batch becomes that does not run to its end."""


class BatchWork:
    """The tasks. Both return whether more of the same is waiting; neither is called twice at once."""

    def __init__(self, settings: Settings, db: Engine, store: Store) -> None:
        self._settings = settings
        self._db = db
        self._store = store
        self._notifier = JobNotifier.connect(settings)
        self._writer = AnswerWriter(settings, db, store)

    def advance(self) -> bool:
        """Take a turn at a batch that is due; return whether one was.

        A batch whose turn fails is postponed, so that it does not keep others from theirs.
        """
        batch: RequestBatch | None = None
        try:
            with self._db.begin() as connection:
                row = connection.execute(work.take_batch()).first()
                if row is None:
                    return False
                batch = batch_from_row(row)
                turn = self._turn(connection, batch, over=row.over)
        except Exception:
            if batch is not None:
                self._postpone(batch)
            raise
        self._notifier.notify(*turn.added)
        if turn.ended:
            self._finalize(turn.batch)
        elif turn.batch.status in ENDS:
            self._cancel(turn.batch, turn.open_ids)
        return True

    def _turn(self, connection: Connection, batch: RequestBatch, *, over: bool) -> "_Turn":
        """Mark the lines whose jobs have ended, and submit the next ones or, once the batch stops, none."""
        if over and batch.status == "in_progress":
            batch = msgspec.structs.replace(batch, status="expiring")
        connection.execute(work.note_ended_jobs(batch.id))
        stops = batch.status in ENDS
        if stops:
            connection.execute(work.fail_waiting(batch.id, CANCELLED if batch.status == "cancelling" else EXPIRED))
        added = [] if stops else self._submit(connection, batch)
        open_ids = connection.execute(work.submitted_jobs(batch.id)).scalars().all()
        ended = not open_ids and not connection.execute(work.count_lines(batch.id)).one().waiting
        if ended and not stops:
            batch = msgspec.structs.replace(batch, status="finalizing")
        pause = WRITE_SECONDS if ended else TURN_SECONDS
        connection.execute(work.look_again(batch.id, pause, batch.status))
        return _Turn(batch, added, open_ids, ended)

    def _postpone(self, batch: RequestBatch) -> None:
        with self._db.begin() as connection:
            connection.execute(work.look_again(batch.id, RETRY_SECONDS))

    def expire(self) -> bool:
        """Remove files whose time is over, and batches that ended long ago; return whether there may be more."""
        with self._db.begin() as connection:
            old = connection.execute(files.expired_files()).all()
            gone = connection.execute(work.forget_batches(KEEP_SECONDS)).all()
        for row in old:
            self._store.remove(row.key)
            with self._db.begin() as connection:
                connection.execute(files.forget_file(row.id))
        UPKEEP.labels("files").inc(len(old))
        return len(old) >= files.EXPIRED_AT_ONCE or len(gone) >= work.OLD_AT_ONCE

    def _submit(self, connection: Connection, batch: RequestBatch) -> list[Job]:
        """Submit the next lines, as many as may be in flight; return their jobs.

        It ends at the first that the tenant's limits have no room for, or for which no server serves a model: the line
        is tried again at the next turn.
        """
        in_flight = connection.execute(work.count_lines(batch.id)).one().submitted
        added: list[Job] = []
        for line in connection.execute(work.next_lines(batch.id, IN_FLIGHT - in_flight)).all():
            try:
                with connection.begin_nested():
                    row = connection.execute(submit(msgspec.json.decode(line.job, type=NewJob))).first()
            except DBAPIError as error:
                refused = state_of(error)
                if refused == SPENT and not in_flight and not added:
                    connection.execute(work.fail_waiting(batch.id, NO_BUDGET, line.number))
                    continue
                if refused in (SPENT, FULL):
                    break
                raise
            if row is None:
                break
            connection.execute(work.mark_submitted(batch.id, line.number))
            added.append(job_from_row(row))
        return added

    def _cancel(self, batch: RequestBatch, job_ids: Sequence[str]) -> None:
        """Cancel jobs, each in a transaction of its own: together they could wait for their workers in a circle."""
        for job_id in job_ids:
            with self._db.begin() as connection:
                row = connection.execute(cancel(job_id, batch.tenant)).first()
            if row is not None:
                self._notifier.notify(job_from_row(row))

    def _finalize(self, batch: RequestBatch) -> None:
        """Write the answers, and end the batch."""
        try:
            with tempfile.TemporaryDirectory(prefix="atelier-batch-", dir=self._settings.scratch_dir or None) as folder:
                output = self._store_answers(batch, "completed", Path(folder) / "output")
                errors = self._store_answers(batch, "failed", Path(folder) / "error")
        except (StorageUnavailable, OSError) as error:
            log.warning("batch: answers not written batch=%s reason=%s", batch.id, error)
            self._postpone(batch)
            return
        with self._db.begin() as connection:
            ended = work.end_batch(
                batch.id,
                status=ENDS.get(batch.status, "completed"),
                completed=output.lines,
                failed=errors.lines,
                output_file=output.file_id,
                error_file=errors.file_id,
            )
            if connection.execute(ended).first() is None:
                return
            for one in (output, errors):
                if one.file_id is not None:
                    connection.execute(
                        files.add_result_file(
                            one.file_id,
                            batch.tenant,
                            filename=f"{batch.id}_{one.name}.jsonl",
                            bytes=one.bytes,
                            key=file_key(batch.tenant, one.file_id),
                            keep_seconds=KEEP_SECONDS,
                        )
                    )
        log.info("batch: ended batch=%s completed=%d failed=%d", batch.id, output.lines, errors.lines)

    def _store_answers(self, batch: RequestBatch, status: str, path: Path) -> "_Answers":
        lines = self._writer.write(batch, status, path)
        if not lines:
            return _Answers(path.name)
        file_id = new_id(FILE)
        self._store.put(file_key(batch.tenant, file_id), path, MEDIA_TYPE)
        return _Answers(path.name, lines, file_id, path.stat().st_size)


class _Turn(msgspec.Struct, frozen=True):
    """What a turn has done: the batch as it is now, the jobs that it added, and those that have not ended."""

    batch: RequestBatch
    added: Sequence[Job]
    open_ids: Sequence[str]
    ended: bool


class _Answers(msgspec.Struct, frozen=True):
    """A file of answers; one without lines is not stored."""

    name: str
    lines: int = 0
    file_id: str | None = None
    bytes: int = 0
