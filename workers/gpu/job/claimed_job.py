"""A claimed job: its claim, what it does at present, whether it is still wanted, and the run that computes it."""

import math
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from jobs.job import DeviceTime, Job
from pipelines.catalog.spec import ModelSpec
from workers.gpu.job.activity import JobActivity
from workers.gpu.job.cancellation import Cancellation
from workers.ipc.messages import AnyMessage


class DeviceRun:
    """One run on the device, of one claimed job or of equal ones that share it.

    The first of their threads makes the request for all; the others wait for what it was answered.
    """

    def __init__(self) -> None:
        self.members: list[ClaimedJob] = []
        """The jobs of the run, in the order of their claims; complete before the first of them is run."""
        self.size = 1
        """How many jobs were computed together."""
        self._asking = threading.Lock()
        self._answers: Mapping[ClaimedJob, AnyMessage] | None = None
        self._error: Exception | None = None

    def answer_to(
        self, claimed: "ClaimedJob", ask: Callable[[Sequence["ClaimedJob"]], Mapping["ClaimedJob", AnyMessage]]
    ) -> AnyMessage | None:
        """Return the answer to one of the jobs, None if it was left out; `ask` is called once, with the wanted ones.

        Raises what `ask` raises, for each of the jobs.
        """
        with self._asking:
            if self._answers is None and self._error is None:
                wanted = [each for each in self.members if not each.cancellation.is_set]
                self.size = max(1, len(wanted))
                try:
                    self._answers = ask(wanted) if wanted else {}
                except Exception as error:
                    self._error = error
        if self._answers is None:
            assert self._error is not None
            raise self._error
        return self._answers.get(claimed)


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
    run: DeviceRun = field(default_factory=DeviceRun)

    @classmethod
    def begin(
        cls, job: Job, spec: ModelSpec, folder: Path, claim_seconds: float = 0.0, beside: "ClaimedJob | None" = None
    ) -> "ClaimedJob":
        """Return the claim of a job that was claimed just now, which shares the run of `beside`, if given."""
        claimed = cls(
            job=job,
            spec=spec,
            folder=folder,
            claim_seconds=claim_seconds,
            claimed_at=time.monotonic(),
            activity=JobActivity(spec.deadlines),
            cancellation=Cancellation(),
            run=DeviceRun() if beside is None else beside.run,
        )
        claimed.run.members.append(claimed)
        return claimed

    @property
    def seconds_left(self) -> float:
        """Seconds until the job's deadline, which the database's clock set at the claim; this machine's may be off."""
        job = self.job
        allowed = math.inf if job.started_at is None else (job.deadline_at - job.started_at).total_seconds()
        return self.claimed_at + allowed - time.monotonic()

    @property
    def device_time(self) -> DeviceTime:
        """What the attempt has taken of the device: of a shared run, its part."""
        return self.activity.timer.device_time(self.run.size)

    @property
    def ticket(self) -> str:
        """Name of this attempt, in messages and folders."""
        return f"{self.job.id}-{self.job.fence}"
