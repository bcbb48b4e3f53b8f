"""The second part of a job: arrays, computed by the engine when it is the job's turn at the device."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from jobs.manifests.environment import BundleWeights
from workers.gpu.job.cancellation import JobUnwanted
from workers.gpu.job.claimed_job import ClaimedJob
from workers.gpu.job.failures import RequestFailed
from workers.gpu.job.progress_writer import ProgressWriter
from workers.gpu.job.slots import JobSlots
from workers.gpu.job.stage import StagedJob
from workers.ipc.child_process import ChildProcess
from workers.ipc.messages import Compute, Computed, Failed, StageProgress


@dataclass(frozen=True)
class ComputedJob:
    """A job whose arrays are in the folder `raw`."""

    claimed: ClaimedJob
    raw: Path
    inputs: Mapping[str, str] = field(default_factory=dict)
    """Files by the names of the inputs, as in `StagedJob`."""
    weights: tuple[BundleWeights, ...] = ()
    """What the engine has computed it with."""


def compute(staged: StagedJob, engine: ChildProcess, slots: JobSlots, progress: ProgressWriter) -> ComputedJob:
    """Have the engine compute the job, once the job before it has left the device.

    Raises `JobUnwanted`, `RequestFailed`, `ChildProcessDied` and `StageOverran`.
    """
    claimed = staged.claimed
    with slots.device(claimed):
        answer = engine.request(
            _request(staged), claimed.spec.deadlines, _ReportListener(claimed, engine, slots, progress)
        )
    claimed.activity.leave()
    if isinstance(answer, Computed):
        return ComputedJob(claimed, _raw(claimed), staged.inputs, answer.weights)
    if isinstance(answer, Failed):
        raise RequestFailed(answer)
    raise JobUnwanted


class _ReportListener:
    """Follows the engine's work on one job."""

    def __init__(self, claimed: ClaimedJob, engine: ChildProcess, slots: JobSlots, progress: ProgressWriter) -> None:
        self._claimed = claimed
        self._engine = engine
        self._slots = slots
        self._progress = progress

    def begin(self) -> None:
        """Begin with the model, unless the job is unwanted by now."""
        self._claimed.cancellation.raise_if_set()
        self._claimed.activity.enter("load")

    def report(self, report: StageProgress) -> None:
        """Renew the stage; stop the engine if the job is unwanted, else have the progress written."""
        claimed = self._claimed
        claimed.activity.report(report.fraction)
        claimed.activity.enter(report.stage)
        self._slots.notify()  # the claim of the next job waits for the end of this one to be near
        if claimed.cancellation.is_set:
            # Again: the first interrupt may have come before the engine had the request.
            self._engine.interrupt(claimed.ticket, preempt=claimed.cancellation.is_preemption)
        else:
            self._progress.write(claimed, report)


def _request(staged: StagedJob) -> Compute:
    job = staged.claimed.job
    return Compute(
        ticket=staged.claimed.ticket,
        model=job.model,
        modality=job.modality,
        params=job.params,
        seed=job.seed or 0,
        folder=str(_raw(staged.claimed)),
        inputs=dict(staged.inputs),
    )


def _raw(claimed: ClaimedJob) -> Path:
    return claimed.folder / "raw"
