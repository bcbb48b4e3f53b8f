"""From files to stored artifacts: `tenant/job/fence/sha256.ext`, whole or not at all."""

import hashlib
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from core.errors import StorageUnavailable
from core.retry import Backoff, retry
from core.storage.store import Store
from jobs.job import Artifact, Job
from pipelines.runtime.protocol import Output, Outputs

BACKOFF = Backoff(first=0.2, longest=10.0)


class UploadAbandoned(Exception):
    """The claim was lost while the store was away."""


def prefix_of(job: Job) -> str:
    """Where the outputs of this attempt live."""
    return f"{job.tenant}/{job.id}/{job.fence}/"


def upload(
    store: Store,
    job: Job,
    outputs: Outputs,
    folder: Path,
    *,
    metadata: Mapping[str, object],
    patience: float,
    wait: Callable[[float], bool],
    clock: Callable[[], float] = time.monotonic,
) -> list[Artifact]:
    """Store every output, trying for `patience` seconds; `wait(seconds)` pauses and says whether to give up.

    Raises `StorageUnavailable` when the store stayed away or is full, and `UploadAbandoned` when told to give up.
    """

    def pause(seconds: float) -> bool:
        if wait(seconds):
            raise UploadAbandoned
        return False

    def put(key: str, file: Path, media_type: str) -> None:
        retry(
            lambda: store.put(key, file, media_type),
            name=f"upload of job {job.id}",
            is_transient=lambda error: isinstance(error, StorageUnavailable) and not error.full,
            backoff=BACKOFF,
            seconds=until - clock(),
            wait=pause,
            clock=clock,
        )

    until = clock() + patience
    return [_upload_one(put, job, output, folder, metadata) for output in outputs.files]


def _upload_one(
    put: Callable[[str, Path, str], None], job: Job, output: Output, folder: Path, metadata: Mapping[str, object]
) -> Artifact:
    file = folder / output.path
    with file.open("rb") as content:
        digest = hashlib.file_digest(content, "sha256").hexdigest()
    key = f"{prefix_of(job)}{digest}{file.suffix}"
    put(key, file, output.media_type)
    shape = {
        "width": output.width,
        "height": output.height,
        "duration_seconds": output.duration,
        "name": output.name,
    }
    known = {name: value for name, value in (shape | dict(metadata)).items() if value is not None}
    return Artifact(key=key, media_type=output.media_type, bytes=file.stat().st_size, sha256=digest, metadata=known)
