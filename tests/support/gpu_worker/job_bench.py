"""The pipeline of claimed jobs around fakes: children, store and database."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from core.settings import Settings
from jobs.job import Job
from tests.support.gpu_worker.fakes import (
    CHAOS,
    SHARED,
    FakeChild,
    FakeJobStore,
    FakePieces,
    FakePreviews,
    FakeStore,
    join_all,
    make_job,
    spawn_thread,
)
from workers.gpu.job.canceller import JobCanceller
from workers.gpu.job.claimed_job import ClaimedJob
from workers.gpu.job.pipeline import JobServices, run_job
from workers.gpu.job.progress_writer import ProgressWriter
from workers.gpu.job.slots import JobSlots
from workers.piece_relay import PieceRelay
from workers.preview_relay import PreviewRelay
from workers.store_watch import StoreWatch

SETTINGS = Settings(upload_retry_seconds=0.3, retry_backoff=5.0, progress_seconds=0.0)


class Bench:
    """The pipeline of one worker around fakes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.engine, self.encoder = FakeChild(), FakeChild()
        self.previews, self.pieces = FakePreviews(), FakePieces()
        self.job_store, self.store = FakeJobStore(), FakeStore(folder / "store")
        self.watch = StoreWatch(self.store)
        self.freed: list[str] = []
        self.slots = JobSlots(lambda: self.freed.append("free"))
        self.build(SETTINGS)

    def build(self, settings: Settings) -> None:
        """Put the pipeline together with these settings."""
        job_store, engine, encoder = cast(Any, self.job_store), cast(Any, self.engine), cast(Any, self.encoder)
        self.canceller = JobCanceller(engine, self.slots)
        self.services = JobServices(
            settings=settings,
            job_store=job_store,
            store=self.store,
            store_watch=self.watch,
            scratch=cast(Any, None),
            engine=engine,
            encoder=encoder,
            slots=self.slots,
            canceller=self.canceller,
            progress=ProgressWriter(job_store, settings.progress_seconds),
            previews=PreviewRelay(cast(Any, self.previews), engine.ask_preview),
            pieces=PieceRelay(cast(Any, self.pieces)),
        )

    def claim(self, number: int = 1, **columns: Any) -> ClaimedJob:
        """Return a claimed job."""
        job = make_job(number, **columns)
        claimed = ClaimedJob.begin(job, CHAOS, self.folder / job.id)
        self.slots.add(claimed)
        return claimed

    def claim_run(self, *numbers: int) -> list[ClaimedJob]:
        """Return claimed jobs that share a run."""
        run: list[ClaimedJob] = []
        for number in numbers:
            job = make_job(number, model=SHARED.id)
            run.append(ClaimedJob.begin(job, SHARED, self.folder / job.id, beside=run[0] if run else None))
        self.slots.add(*run)
        return run

    def run_all(self, run: Sequence[ClaimedJob]) -> None:
        """Take jobs to their ends, each in a thread of its own."""
        join_all([spawn_thread(lambda claimed=claimed: self.run(claimed)) for claimed in run])

    def run(self, claimed: ClaimedJob) -> Job | None:
        """Take a job to its end."""
        return run_job(claimed, self.services)

    def preempt(self, claimed: ClaimedJob) -> None:
        """Ask for the job back, unharmed."""
        self.canceller.preempt(claimed)

    def lose_claim(self, claimed: ClaimedJob) -> None:
        """Say that the claim is gone."""
        self.canceller.abandon(claimed)
