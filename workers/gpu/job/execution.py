"""One job from claim to commit: inputs, compute, encode, upload, commit; and what to do when any of it goes wrong."""

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from core.errors import InputUnreachable, StorageUnavailable
from core.settings import Settings
from core.storage.store import Store
from jobs.job import Job, JobError
from jobs.log_context import about_job
from workers.gpu.job.claimed_job import ClaimedJob
from workers.gpu.job.job_store import JobStore
from workers.gpu.job.upload import UploadAbandoned, prefix_of, upload
from workers.input_staging import stage, wants_inputs
from workers.ipc.child_process import START_SECONDS, ChildProcess, ChildProcessDied, NoListener, StageOverran
from workers.ipc.messages import Compute, Computed, Encode, Encoded, Failed, StageProgress, Stopped

log = logging.getLogger(__name__)

TURN_SECONDS = 0.1
"""How often a job that waits for the device looks whether it is still wanted."""


class JobUnwanted(Exception):
    """The claim was lost, or the worker began to stop, before it was the job's turn."""


class Execution:
    """Takes held jobs to their end with one engine and one encoder."""

    def __init__(
        self, settings: Settings, ledger: JobStore, store: Store, engine: ChildProcess, encoder: ChildProcess
    ) -> None:
        self._settings = settings
        self._ledger = ledger
        self._store = store
        self._engine = engine
        self._encoder = encoder
        self._turn = threading.Lock()
        self._teller = ThreadPoolExecutor(1, "tell")

    def run(self, held: ClaimedJob, *, on_report: Callable[[], None], on_computed: Callable[[], None]) -> Job | None:
        """Run the job, when it is its turn; `on_report` is called after every report of the engine, `on_computed` as
        soon as the device is free. Returns the job as it then is, or None when the claim was gone.
        """
        try:
            return self._to_its_end(held, on_report, on_computed)
        except StageOverran as error:
            log.error("job %s: %s", held.job.id, error)
            return self._ledger.lose(held.job, f"The last one: {error}.")
        except ChildProcessDied as error:
            log.error("job %s: %s", held.job.id, error)
            if held.preempted:
                return self._give_back(held)
            return self._ledger.lose(held.job, f"In the last one {error}.")
        except (JobUnwanted, UploadAbandoned):
            return self._give_back(held)
        except InputUnreachable as error:
            return self._ledger.fail(held.job, JobError(error.code, error.detail))
        except StorageUnavailable as error:
            if error.full:
                return self._ledger.fail(held.job, JobError(error.code, error.detail))
            return self._ledger.release(held.job, delay=self._settings.retry_backoff)
        finally:
            held.stages.end()

    def abandon(self, held: ClaimedJob) -> None:
        """The claim is gone: stop working on it."""
        log.info("job %s is not ours any more: stopping", held.job.id)
        held.lost = True
        self._engine.interrupt(held.ticket, preempt=False)

    def preempt(self, held: ClaimedJob) -> None:
        """Stop at the next report and hand the job back unharmed."""
        held.preempted = True
        self._engine.interrupt(held.ticket, preempt=True)

    def _to_its_end(
        self, held: ClaimedJob, on_report: Callable[[], None], on_computed: Callable[[], None]
    ) -> Job | None:
        answer = self._compute(held, on_report)
        held.stages.end()
        if isinstance(answer, Computed):
            on_computed()
            answer = self._encode(held)
            held.stages.end()
        if isinstance(answer, Encoded):
            return self._finish(held, answer)
        if isinstance(answer, Failed):
            return self._broke(held, answer)
        return self._give_back(held)

    def _compute(self, held: ClaimedJob, on_report: Callable[[], None]) -> object:
        job = held.job
        request = Compute(
            ticket=held.ticket,
            model=job.model,
            modality=job.modality,
            params=job.params,
            seed=job.seed or 0,
            folder=str(held.folder / "raw"),
            inputs=self._inputs(held),
        )

        if not self._wait_for_turn(held):
            return Stopped(ticket=held.ticket)
        try:
            return self._engine.request(request, held.spec.deadlines, _Computing(self, held, on_report))
        finally:
            self._turn.release()

    def _wait_for_turn(self, held: ClaimedJob) -> bool:
        """Take the device when the job before this one has left it; False for a job that is given up meanwhile."""
        while not (held.lost or held.preempted):
            if self._turn.acquire(timeout=TURN_SECONDS):
                return True
        return False

    def _inputs(self, held: ClaimedJob) -> dict[str, str]:
        if not wants_inputs(held.job):
            return {}
        return stage(self._store, held.job, self._ledger.clean_copies(held.job), held.folder / "inputs")

    def _encode(self, held: ClaimedJob) -> object:
        # The other job may be in the encoder, and that process may have to be started first.
        held.enter("encode", 2 * held.spec.deadlines.of("encode") + START_SECONDS)
        request = Encode(
            ticket=held.ticket,
            model=held.job.model,
            modality=held.job.modality,
            params=held.job.params,
            raw=str(held.folder / "raw"),
            folder=str(held.folder / "out"),
        )

        return self._encoder.request(request, held.spec.deadlines, _Encoding(held))

    def _finish(self, held: ClaimedJob, encoded: Encoded) -> Job | None:
        patience = self._settings.upload_retry_seconds
        held.enter("upload", patience + held.spec.deadlines.of("upload"))
        held.stages.begin("upload")
        artifacts = upload(
            self._store,
            held.job,
            encoded.outputs,
            held.folder / "out",
            metadata=encoded.metadata,
            patience=patience,
            wait=held.pause,
        )
        held.stages.end()
        cost = held.spec.price_usd * getattr(held.job.read_params(), "num_images", 1)
        done = self._ledger.commit(held.job, artifacts, encoded.warnings, cost)
        if done is None:
            log.warning("job %s: the claim was gone at the commit; its outputs are removed", held.job.id)
            self._store.remove_prefix(prefix_of(held.job))
        return done

    def _broke(self, held: ClaimedJob, broke: Failed) -> Job | None:
        log.error("job %s: %s: %s", held.job.id, broke.error.code, broke.error.message)
        if broke.fatal:
            return self._ledger.lose(held.job, f"The last one: {broke.error.message}")
        return self._ledger.fail(held.job, broke.error)

    def _give_back(self, held: ClaimedJob) -> Job | None:
        """A job that we stopped ourselves costs no attempt; one whose claim is gone is nobody's business here."""
        return None if held.lost else self._ledger.release(held.job)

    def follow(self, held: ClaimedJob, report: StageProgress) -> None:
        new_stage = report.stage != held.stage
        held.enter(report.stage)
        if new_stage:
            held.stages.begin(report.stage)
        if held.lost or held.preempted:
            # Again: the first call may have come before the engine had the request.
            self._engine.interrupt(held.ticket, preempt=held.preempted)
            return
        if not new_stage and time.monotonic() - held.progress_written_at < self._settings.progress_seconds:
            return
        held.progress_written_at = time.monotonic()
        waits = held.pending_progress is not None
        held.pending_progress = report
        if not waits:
            self._teller.submit(self._tell, held)

    def _tell(self, held: ClaimedJob) -> None:
        """Write what was reported last, in a thread of its own: the engine's answer does not wait for the database."""
        report, held.pending_progress = held.pending_progress, None
        with about_job(held.job):
            if report is not None and not self._ledger.progress(
                held.job, report.fraction, report.stage, report.warnings
            ):
                self.abandon(held)


class _Computing:
    """Listens to the engine's work on a job."""

    def __init__(self, execution: Execution, held: ClaimedJob, on_report: Callable[[], None]) -> None:
        self._execution = execution
        self._held = held
        self._on_report = on_report

    def begin(self) -> None:
        if self._held.lost or self._held.preempted:
            raise JobUnwanted
        self._held.enter("load")
        self._held.stages.begin("load")

    def report(self, report: StageProgress) -> None:
        self._held.report(report.fraction)
        self._on_report()
        self._execution.follow(self._held, report)


class _Encoding(NoListener):
    """Listens to the encoder's work on a job."""

    def __init__(self, held: ClaimedJob) -> None:
        self._held = held

    def begin(self) -> None:
        self._held.enter("encode")
        self._held.stages.begin("encode")
