"""The fourth part of a job: its files and their previews in the store, all of them or none.

Their keys are `tenant/job/fence/sha256.ext`.
"""

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import msgspec

from core.errors.unavailable import StorageUnavailable
from core.retry import Backoff, retry
from core.storage.store import Store
from jobs.job import Artifact, Job
from jobs.manifests.environment import BundleWeights
from jobs.previews import Preview
from pipelines.runtime.protocol import Output, PreviewFile
from workers.gpu.job.cancellation import JobUnwanted
from workers.gpu.job.claimed_job import ClaimedJob
from workers.gpu.job.encode import EncodedJob
from workers.gpu.job.failures import OutputsRefused
from workers.gpu.job.job_store import JobStore
from workers.store_watch import StoreWatch

BACKOFF = Backoff(first=0.2, longest=10.0)
AT_ONCE = 4
"""How many previews of a job are stored at once."""
LOOK_SECONDS = 1.0
"""How often it is looked whether a store that was away is back."""


@dataclass(frozen=True)
class UploadedJob:
    """A job whose outputs are in the store."""

    claimed: ClaimedJob
    artifacts: tuple[Artifact, ...]
    warnings: tuple[str, ...]
    weights: tuple[BundleWeights, ...] = ()


def prefix_of(job: Job) -> str:
    """Return the beginning of the keys of this attempt's outputs."""
    return f"{job.tenant}/{job.id}/{job.fence}/"


def upload(
    encoded: EncodedJob, store: Store, store_watch: StoreWatch, job_store: JobStore, retry_seconds: float
) -> UploadedJob:
    """Store every file; a store that is away is waited for until the job's deadline.

    Raises `OutputsRefused` when the store is full, when it is still away at the deadline, or when it refused these
    files for `retry_seconds` in all although its checks passed; and `JobUnwanted`.
    """
    claimed, hold = encoded.claimed, _Hold(encoded.claimed, store_watch, job_store)
    stage_seconds = retry_seconds + claimed.spec.deadlines.upload
    claimed.activity.enter("upload", stage_seconds)
    artifacts = tuple(_describe(encoded, output) for output in encoded.files)
    outputs, previews = _outputs(encoded, artifacts), _previews(encoded, artifacts)

    def attempt() -> None:
        """Store all files, each time: a store that comes back, as a new bucket, may have lost what it had."""
        claimed.activity.enter("upload", stage_seconds)
        try:
            _put_all(outputs, previews, store)
        except StorageUnavailable as error:
            if not error.full:
                hold.note(error)
            raise

    try:
        retry(
            attempt,
            name=f"upload of job {claimed.job.id}",
            is_transient=lambda error: isinstance(error, StorageUnavailable) and not error.full,
            backoff=BACKOFF,
            seconds=retry_seconds,
            wait=hold.wait,
            clock=hold.clock,
        )
    except StorageUnavailable as error:
        raise OutputsRefused(error) from error
    claimed.activity.leave()
    return UploadedJob(claimed, artifacts, encoded.warnings, encoded.weights)


class _Object(msgspec.Struct, frozen=True):
    """A file on its way into the store."""

    key: str
    file: Path
    media_type: str


def _outputs(encoded: EncodedJob, artifacts: Sequence[Artifact]) -> list[_Object]:
    pairs = zip(encoded.files, artifacts, strict=True)
    return [_Object(artifact.key, encoded.folder / made.path, artifact.media_type) for made, artifact in pairs]


def _previews(encoded: EncodedJob, artifacts: Sequence[Artifact]) -> list[_Object]:
    """Return the previews of all outputs; equal ones have one key, and are stored once."""
    made = [preview for output in encoded.files for preview in output.previews]
    stored = [preview for artifact in artifacts for preview in artifact.previews]
    pairs = zip(made, stored, strict=True)
    objects = [_Object(to.key, encoded.folder / file.path, to.media_type) for file, to in pairs]
    return list({each.key: each for each in objects}.values())


def _put_all(outputs: Sequence[_Object], previews: Sequence[_Object], store: Store) -> None:
    """Store all files: the outputs one after the other, and meanwhile the previews, which are small."""
    pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="upload")
    try:
        storing = [pool.submit(store.put, each.key, each.file, each.media_type) for each in previews]
        for output in outputs:
            store.put(output.key, output.file, output.media_type)
        for stored in storing:
            stored.result()
    finally:
        pool.shutdown(cancel_futures=True)


class _Hold:
    """Keeps the files of a job, and its claim, while the store refuses them.

    Its clock counts the pauses between attempts and stands still while the store is away: what was computed is not
    computed again for an outage, however long.
    """

    def __init__(self, claimed: ClaimedJob, store_watch: StoreWatch, job_store: JobStore) -> None:
        self._claimed = claimed
        self._store_watch = store_watch
        self._job_store = job_store
        self._refusal = StorageUnavailable()
        self._is_noted = False
        self._paused = 0.0

    def clock(self) -> float:
        """Return the seconds of all pauses between attempts so far."""
        return self._paused

    def note(self, refusal: StorageUnavailable) -> None:
        """Note that the store has refused a file."""
        self._refusal = refusal
        self._claimed.activity.note_refusal()
        self._store_watch.note_refusal(refusal)

    def wait(self, pause: float) -> bool:
        """Pause, then wait until the store is back. Raises `JobUnwanted`, and at the job's deadline the refusal."""
        self._claimed.activity.wait_for("upload", self._claimed.seconds_left)
        self._rest(pause)
        self._paused += pause
        while self._store_watch.is_away:
            self._rest(LOOK_SECONDS)
        return False

    def _rest(self, seconds: float) -> None:
        self._is_noted = self._is_noted or self._job_store.note_refusal(self._claimed.job)
        if self._claimed.cancellation.wait(min(seconds, max(0.0, self._claimed.seconds_left))):
            raise JobUnwanted
        if self._claimed.seconds_left <= 0:
            raise self._refusal


def _describe(encoded: EncodedJob, output: Output) -> Artifact:
    file = encoded.folder / output.path
    digest, key = _address(encoded, file)
    shape = {
        "width": output.width,
        "height": output.height,
        "duration_seconds": output.duration,
        "name": output.name,
        "palette_distance": output.palette_distance,
        "palette_distance_before": output.palette_distance_before,
    }
    known = {name: value for name, value in (shape | dict(encoded.metadata)).items() if value is not None}
    return Artifact(
        key=key,
        media_type=output.media_type,
        bytes=file.stat().st_size,
        sha256=digest,
        metadata=known,
        previews=tuple(_describe_preview(encoded, preview) for preview in output.previews),
    )


def _describe_preview(encoded: EncodedJob, preview: PreviewFile) -> Preview:
    file = encoded.folder / preview.path
    return Preview(
        name=preview.name,
        key=_address(encoded, file)[1],
        media_type=preview.media_type,
        bytes=file.stat().st_size,
        width=preview.width,
        height=preview.height,
    )


def _address(encoded: EncodedJob, file: Path) -> tuple[str, str]:
    """Return the sha256 of a file, and the key that it makes."""
    with file.open("rb") as content:
        digest = hashlib.file_digest(content, "sha256").hexdigest()
    return digest, f"{prefix_of(encoded.claimed.job)}{digest}{file.suffix}"
