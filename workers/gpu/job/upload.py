"""From files to stored artifacts: `tenant/job/fence/sha256.ext`, whole or not at all."""

import hashlib
import logging
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from core.errors import StorageUnavailable
from core.storage.store import Store
from jobs.job import Artifact, Job
from pipelines.runtime.protocol import Output, Outputs

log = logging.getLogger(__name__)


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
    facts: Mapping[str, object],
    patience: float,
    wait: Callable[[float], bool],
) -> list[Artifact]:
    """Store every output, trying for `patience` seconds; `wait(seconds)` pauses and says whether to give up.

    Raises `StorageUnavailable` when the store stayed away or is full, and `UploadAbandoned` when told to give up.
    """
    until = time.monotonic() + patience
    return [_upload_one(store, job, output, folder, facts, until, wait) for output in outputs.files]


def _upload_one(
    store: Store,
    job: Job,
    output: Output,
    folder: Path,
    facts: Mapping[str, object],
    until: float,
    wait: Callable[[float], bool],
) -> Artifact:
    file = folder / output.path
    with file.open("rb") as content:
        digest = hashlib.file_digest(content, "sha256").hexdigest()
    key = f"{prefix_of(job)}{digest}{file.suffix}"
    pause = 0.2
    while True:
        try:
            store.put(key, file, output.media_type)
            break
        except StorageUnavailable as error:
            if error.full or time.monotonic() + pause > until:
                raise
            log.warning("job %s: %s", job.id, error.detail)
            if wait(pause):
                raise UploadAbandoned from error
            pause = min(2 * pause, 10.0)
    shape = {
        "width": output.width,
        "height": output.height,
        "duration_seconds": output.duration,
        "name": output.name,
    }
    metadata = {name: value for name, value in (shape | dict(facts)).items() if value is not None}
    return Artifact(key=key, media_type=output.media_type, bytes=file.stat().st_size, sha256=digest, metadata=metadata)
