"""A claimed job: its claim, what it does at present, and whether it is still wanted."""

import math
import time
from dataclasses import dataclass
from pathlib import Path

from jobs.job import Job
from pipelines.catalog.spec import ModelSpec
from workers.gpu.job.activity import JobActivity
from workers.gpu.job.cancellation import Cancellation


@dataclass(frozen=True, eq=False, kw_only=True)
class ClaimedJob:
    """One attempt at a job by this worker; equal to no other."""

    job: Job
    spec: ModelSpec
    folder: Path
    """Where the files of the attempt are until they are stored."""
    claim_seconds: float
    """Seconds that it took to claim the job."""
    claimed_at: float
    """Monotonic seconds."""
    activity: JobActivity
    cancellation: Cancellation

    @classmethod
    def begin(cls, job: Job, spec: ModelSpec, folder: Path, claim_seconds: float = 0.0) -> "ClaimedJob":
        """Return the claim of a job that was claimed just now."""
        return cls(
            job=job,
            spec=spec,
            folder=folder,
            claim_seconds=claim_seconds,
            claimed_at=time.monotonic(),
            activity=JobActivity(spec.deadlines),
            cancellation=Cancellation(),
        )

    @property
    def seconds_left(self) -> float:
        """Seconds until the job's deadline, which the database's clock set at the claim; this machine's may be off."""
        job = self.job
        allowed = math.inf if job.started_at is None else (job.deadline_at - job.started_at).total_seconds()
        return self.claimed_at + allowed - time.monotonic()

    @property
    def ticket(self) -> str:
        """Name of this attempt, in messages and folders."""
        return f"{self.job.id}-{self.job.fence}"
