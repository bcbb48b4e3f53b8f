"""The last part of a job: its row, completed under the fence of this attempt."""

import logging

from core.errors.unavailable import StorageUnavailable
from core.storage.store import Store
from jobs.job import Job, JobRun
from jobs.manifests.environment import ATELIER
from workers.environment import environment_of
from workers.gpu.job.job_store import JobStore
from workers.gpu.job.upload import UploadedJob, prefix_of
from workers.ipc.messages import Ready

log = logging.getLogger(__name__)


def commit(
    uploaded: UploadedJob, engine: Ready, job_store: JobStore, store: Store, *, backend: str = ATELIER
) -> Job | None:
    """Complete the job and charge for it; None, and its outputs are removed, when the claim was gone.

    `engine` says what computed it, and `backend` who, where it was another service. A database that is away is waited
    for, and the lease is renewed as soon as it is back.
    """
    claimed, job = uploaded.claimed, uploaded.claimed.job
    claimed.activity.wait_for("upload", claimed.seconds_left)
    params, used = job.read_params(), claimed.device_time
    cost, metered = claimed.spec.price_of(params), claimed.spec.metered_price(params, used.gpu_seconds)
    environment = environment_of(claimed.spec, uploaded.weights, engine.versions, engine.product, backend)
    digest, seconds = environment.digest, claimed.activity.timer.seconds()
    job_store.note_environment(job, digest, environment)
    completed = job_store.commit(
        job,
        uploaded.artifacts,
        (*uploaded.warnings, *_difference(job, digest)),
        cost,
        metered=metered,
        used=used,
        run=JobRun(digest, {phase: round(spent, 3) for phase, spent in seconds.items()}, claimed.run.size),
    )
    if completed is None:
        job_store.note_use(job, used)
        log.warning("claim: gone at the commit, outputs are removed job=%s", job.id)
        try:
            store.remove_prefix(prefix_of(job))
        except StorageUnavailable as error:
            log.warning("outputs: not removed, they are orphans now job=%s reason=%r", job.id, error.detail)
    return completed


def _difference(job: Job, digest: str) -> tuple[str, ...]:
    """Return the warning of a job that makes another one again, where that was made in another environment."""
    if job.origin.environment in (None, digest):
        return ()
    return (
        f"{job.origin.reproduces} was made with other software, settings or on another device: the pixels may differ; "
        "the two manifests say in what.",
    )
