"""The fourth part of a job: its files in the store, as `tenant/job/fence/sha256.ext`, all of them or none."""

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from core.errors import StorageUnavailable
from core.retry import Backoff, retry
from core.storage.store import Store
from jobs.job import Artifact, Job
from pipelines.runtime.protocol import Output
from workers.gpu.job.cancellation import JobUnwanted
from workers.gpu.job.claimed_job import ClaimedJob
from workers.gpu.job.encode import EncodedJob

BACKOFF = Backoff(first=0.2, longest=10.0)


@dataclass(frozen=True)
class UploadedJob:
    """A job whose outputs are in the store."""

    claimed: ClaimedJob
    artifacts: tuple[Artifact, ...]
    warnings: tuple[str, ...]


def prefix_of(job: Job) -> str:
    """Return the beginning of the keys of this attempt's outputs."""
    return f"{job.tenant}/{job.id}/{job.fence}/"


def upload(
    encoded: EncodedJob, store: Store, retry_seconds: float, clock: Callable[[], float] = time.monotonic
) -> UploadedJob:
    """Store every file; a store that is away is tried again for `retry_seconds` in all.

    Raises `StorageUnavailable` when the store stayed away or is full, and `JobUnwanted`.
    """
    claimed, until = encoded.claimed, clock() + retry_seconds
    claimed.activity.enter("upload", retry_seconds + claimed.spec.deadlines.upload)

    def wait(seconds: float) -> bool:
        claimed.activity.note_refusal()
        if claimed.cancellation.wait(seconds):
            raise JobUnwanted
        return False

    def put(key: str, file: Path, media_type: str) -> None:
        retry(
            lambda: store.put(key, file, media_type),
            name=f"upload of job {claimed.job.id}",
            is_transient=lambda error: isinstance(error, StorageUnavailable) and not error.full,
            backoff=BACKOFF,
            seconds=until - clock(),
            wait=wait,
            clock=clock,
        )

    artifacts = tuple(_store_file(put, encoded, output) for output in encoded.files)
    claimed.activity.leave()
    return UploadedJob(claimed, artifacts, encoded.warnings)


def _store_file(put: Callable[[str, Path, str], None], encoded: EncodedJob, output: Output) -> Artifact:
    file = encoded.folder / output.path
    with file.open("rb") as content:
        digest = hashlib.file_digest(content, "sha256").hexdigest()
    key = f"{prefix_of(encoded.claimed.job)}{digest}{file.suffix}"
    put(key, file, output.media_type)
    shape = {
        "width": output.width,
        "height": output.height,
        "duration_seconds": output.duration,
        "name": output.name,
    }
    known = {name: value for name, value in (shape | dict(encoded.metadata)).items() if value is not None}
    return Artifact(key=key, media_type=output.media_type, bytes=file.stat().st_size, sha256=digest, metadata=known)
