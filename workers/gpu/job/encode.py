"""The third part of a job: files, made of its arrays by the encoder."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from jobs.manifests.environment import BundleWeights
from pipelines.runtime.protocol import Output
from workers.gpu.job.cancellation import JobUnwanted
from workers.gpu.job.claimed_job import ClaimedJob
from workers.gpu.job.compute import ComputedJob
from workers.gpu.job.failures import RequestFailed
from workers.ipc.child_process import START_SECONDS, ChildProcess, NoListener
from workers.ipc.messages import Encode, Encoded, EncodedPart, EncodePart, Failed, SoundPart


@dataclass(frozen=True)
class EncodedJob:
    """A job whose files are in `folder`."""

    claimed: ClaimedJob
    folder: Path
    files: tuple[Output, ...]
    warnings: tuple[str, ...]
    metadata: Mapping[str, object]
    """What the run says of every file, for example its seed."""
    weights: tuple[BundleWeights, ...] = ()


def encode(computed: ComputedJob, encoder: ChildProcess) -> EncodedJob:
    """Have the encoder write the job's files, and remove its arrays: the files may have to wait for the store.

    Raises `RequestFailed`, `ChildProcessDied` and `StageOverran`.
    """
    claimed = computed.claimed
    deadlines, folder = claimed.spec.deadlines, claimed.folder / "out"
    # The job before this one may be in the encoder, and that process may have to be started first.
    claimed.activity.wait_for("encode", 2 * deadlines.encode + START_SECONDS)
    request = Encode(
        ticket=claimed.ticket,
        model=claimed.job.model,
        modality=claimed.job.modality,
        params=claimed.job.params,
        raw=str(computed.raw),
        folder=str(folder),
        inputs=dict(computed.inputs),
    )
    answer = encoder.request(request, deadlines, _TurnListener(claimed))
    claimed.activity.leave()
    if isinstance(answer, Encoded):
        shutil.rmtree(computed.raw, ignore_errors=True)
        files, metadata = answer.outputs.files, answer.metadata
        return EncodedJob(claimed, folder, files, answer.warnings, metadata, computed.weights)
    if isinstance(answer, Failed):
        raise RequestFailed(answer)
    raise JobUnwanted


def encode_part(claimed: ClaimedJob, part: SoundPart, encoder: ChildProcess) -> bytes:
    """Have the encoder add a part to the job's recording; return the bytes that the file has grown by.

    The recording that is stored is encoded once more, from all parts. Raises what `encode` raises.
    """
    request = EncodePart(
        ticket=claimed.ticket,
        params=claimed.job.params,
        number=part.number,
        part=part.file,
        rate=part.rate,
        folder=str(claimed.folder / "stream"),
    )
    answer = encoder.request(request, claimed.spec.deadlines)
    if isinstance(answer, Failed):
        raise RequestFailed(answer)
    assert isinstance(answer, EncodedPart)
    with Path(answer.file).open("rb") as file:
        file.seek(answer.begin)
        return file.read(answer.end - answer.begin)


class _TurnListener(NoListener):
    """Notes when the encoder begins with a job."""

    def __init__(self, claimed: ClaimedJob) -> None:
        self._claimed = claimed

    def begin(self) -> None:
        """Begin the stage."""
        self._claimed.activity.enter("encode")
