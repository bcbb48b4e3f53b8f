"""The last part of a job: its row, completed under the fence of this attempt."""

import logging

from core.storage.store import Store
from jobs.job import Job
from workers.gpu.job.job_store import JobStore
from workers.gpu.job.upload import UploadedJob, prefix_of

log = logging.getLogger(__name__)


def commit(uploaded: UploadedJob, job_store: JobStore, store: Store) -> Job | None:
    """Complete the job and charge for it; None, and its outputs are removed, when the claim was gone."""
    job = uploaded.claimed.job
    cost = uploaded.claimed.spec.price_usd * getattr(job.read_params(), "num_images", 1)
    completed = job_store.commit(job, uploaded.artifacts, uploaded.warnings, cost)
    if completed is None:
        log.warning("claim: gone at the commit, outputs are removed job=%s", job.id)
        store.remove_prefix(prefix_of(job))
    return completed
