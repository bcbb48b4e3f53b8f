"""A job in this worker's hands: its claim, its stage and that stage's deadline."""

import math
import time
from pathlib import Path

from jobs.job import Job
from pipelines.catalog.spec import ModelSpec, Stage
from workers.gpu.job.stage_timer import StageTimer
from workers.ipc.messages import StageProgress

SLACK_SECONDS = 5.0
"""How far past a stage's deadline its lease is still renewed: long enough to kill what overran."""


class ClaimedJob:
    """Shared between the thread that runs the job and the one that renews leases; every write is one assignment."""

    def __init__(self, job: Job, spec: ModelSpec, folder: Path, claiming: float = 0.0) -> None:
        self.job = job
        self.claim_seconds = claiming
        """Seconds that it took to claim it."""
        self.spec = spec
        self.folder = folder
        self.lost = False
        """True once the claim is known to be gone: cancelled, deleted, or taken by another worker."""
        self.preempted = False
        """True once this worker wants to hand the job back unharmed."""
        self.store_is_refusing = False
        """True once the store has refused its outputs, for the rest of their upload."""
        self.stages = StageTimer()
        self.claimed = self.renewed = time.monotonic()
        self.progress_written_at = 0.0
        """When progress was last written; monotonic seconds."""
        self.pending_progress: StageProgress | None = None
        """What the engine reported and is not written yet."""
        self.stage: Stage = "prepare"
        self._until = 0.0
        self._computing_since: float | None = None
        self._computed_at = math.inf
        self.enter("prepare", spec.deadlines.load)  # until the engine, which may have to be started, begins

    @property
    def ticket(self) -> str:
        """Name of this attempt, in messages and folders."""
        return f"{self.job.id}-{self.job.fence}"

    def enter(self, stage: Stage, seconds: float | None = None) -> None:
        """A stage begins; it may take `seconds` (default: the model's own deadline for it)."""
        self.stage = stage
        self._until = time.monotonic() + (self.spec.deadlines.of(stage) if seconds is None else seconds)

    def report(self, fraction: float) -> None:
        """So much of the computing is done, 0 to 1; at 0 it begins."""
        now = time.monotonic()
        if fraction == 0 or self._computing_since is None:
            self._computing_since, self._computed_at = now, math.inf
        else:
            self._computed_at = now + (now - self._computing_since) * (1 - fraction) / fraction

    @property
    def remaining(self) -> float:
        """Seconds that the computing will take yet, at its pace up to the last report; infinite while none is known."""
        return self._computed_at - time.monotonic()

    def pause(self, seconds: float) -> bool:
        """Wait for the store, which has refused; returns at once with True when there is no point in going on."""
        self.store_is_refusing = True
        until = time.monotonic() + seconds
        while not (self.lost or self.preempted) and time.monotonic() < until:
            time.sleep(min(0.1, seconds))
        return self.lost or self.preempted

    @property
    def overrun(self) -> bool:
        """Whether the present stage is past its deadline, so that the lease must not be renewed."""
        return time.monotonic() > self._until + SLACK_SECONDS
