"""The second part of a job: arrays, computed by the engine when it is the job's turn at the device."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from jobs.manifests.environment import BundleWeights
from workers.gpu.job.cancellation import JobUnwanted
from workers.gpu.job.claimed_job import ClaimedJob
from workers.gpu.job.failures import RequestFailed, SharedRunFailed
from workers.gpu.job.progress_writer import ProgressWriter
from workers.gpu.job.slots import JobSlots
from workers.gpu.job.stage import StagedJob
from workers.ipc.child_process import ChildProcess, ChildProcessDied, StageOverran
from workers.ipc.messages import (
    AnyMessage,
    AnyPreview,
    Compute,
    Computed,
    ComputedShared,
    ComputeShared,
    Failed,
    PreviewText,
    SoundPart,
    StageProgress,
)
from workers.preview_relay import PreviewRelay


@dataclass(frozen=True)
class ComputedJob:
    """A job whose arrays are in the folder `raw`."""

    claimed: ClaimedJob
    raw: Path
    inputs: Mapping[str, str] = field(default_factory=dict)
    """Files by the names of the inputs, as in `StagedJob`."""
    weights: tuple[BundleWeights, ...] = ()
    """What the engine has computed it with."""


PlayPart = Callable[[ClaimedJob, SoundPart], None]
"""Has those who follow a job get a part of its recording; returns at once."""


def compute(
    staged: StagedJob,
    engine: ChildProcess,
    slots: JobSlots,
    progress: ProgressWriter,
    previews: PreviewRelay,
    play: PlayPart,
) -> ComputedJob:
    """Have the engine compute the job, once the run before its own has left the device.

    Parts of a recording that is streamed are given to `play`. Raises `JobUnwanted`, `RequestFailed`, `SharedRunFailed`,
    `ChildProcessDied` and `StageOverran`.
    """
    claimed = staged.claimed

    def ask(wanted: Sequence[ClaimedJob]) -> Mapping[ClaimedJob, AnyMessage]:
        listener = _ReportListener(wanted, engine, slots, progress, previews, play)
        if len(wanted) > 1:
            return _ask_for_all(wanted, engine, listener)
        (only,) = wanted
        inputs = staged.inputs if only is claimed else {}
        return {only: engine.request(_request(StagedJob(only, inputs)), only.spec.deadlines, listener)}

    with slots.device(claimed):
        answer = claimed.run.answer_to(claimed, ask)
    claimed.activity.leave()
    if isinstance(answer, Computed):
        return ComputedJob(claimed, _raw(claimed), staged.inputs, answer.weights)
    if isinstance(answer, Failed):
        raise RequestFailed(answer)
    raise JobUnwanted


def _ask_for_all(
    wanted: Sequence[ClaimedJob], engine: ChildProcess, listener: "_ReportListener"
) -> Mapping[ClaimedJob, AnyMessage]:
    """Have the engine compute equal jobs in one run, without inputs. Raises `JobUnwanted` and `SharedRunFailed`."""
    jobs = tuple(_request(StagedJob(claimed, {})) for claimed in wanted)
    try:
        answer = engine.request(ComputeShared(ticket=jobs[0].ticket, jobs=jobs), wanted[0].spec.deadlines, listener)
    except (ChildProcessDied, StageOverran) as error:
        raise SharedRunFailed(str(error)) from error
    if isinstance(answer, Failed):
        raise SharedRunFailed(f"{answer.error.code}: {answer.error.message}")
    answers = answer.answers if isinstance(answer, ComputedShared) else ()
    return {claimed: each for claimed in wanted for each in answers if each.ticket == claimed.ticket}


class _ReportListener:
    """Follows the engine's work on one run."""

    def __init__(
        self,
        members: Sequence[ClaimedJob],
        engine: ChildProcess,
        slots: JobSlots,
        progress: ProgressWriter,
        previews: PreviewRelay,
        play: PlayPart,
    ) -> None:
        self._members = {claimed.ticket: claimed for claimed in members}
        self._engine = engine
        self._slots = slots
        self._progress = progress
        self._previews = previews
        self._play = play

    def begin(self) -> None:
        """Begin with the model, unless all jobs are unwanted by now."""
        if all(claimed.cancellation.is_set for claimed in self._members.values()):
            raise JobUnwanted
        self._previews.begin()
        for claimed in self._members.values():
            claimed.activity.enter("load")

    def report(self, report: StageProgress) -> None:
        """Renew the stage; stop the engine if the job is unwanted, else have the progress written."""
        claimed = self._members[report.ticket]
        claimed.activity.report(report.fraction)
        claimed.activity.enter(report.stage)
        self._slots.notify()  # the claim of the next job waits for the end of this one to be near
        if claimed.cancellation.is_set:
            # Again: the first interrupt may have come before the engine had the request.
            self._engine.interrupt(claimed.ticket, preempt=claimed.cancellation.is_preemption)
        else:
            self._progress.write(claimed, report)
            self._previews.look(claimed.ticket, claimed.job.id)

    def show(self, preview: AnyPreview) -> None:
        """Have a preview shown to those who follow the job."""
        job_id = self._members[preview.ticket].job.id
        if isinstance(preview, PreviewText):
            self._previews.show_text(preview.ticket, job_id, preview.step, preview.of, preview.text)
            return
        size = preview.width, preview.height
        self._previews.show(preview.ticket, job_id, preview.step, preview.of, size, preview.pixels)

    def play(self, part: SoundPart) -> None:
        """Have a part of a recording published, unless the job is unwanted by now."""
        claimed = self._members[part.ticket]
        if not claimed.cancellation.is_set:
            self._play(claimed, part)


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
