"""The first part of a job: its inputs, from the store into the job's folder."""

from collections.abc import Mapping
from dataclasses import dataclass

from core.errors.unavailable import StorageUnavailable
from core.storage.store import Store
from workers.gpu.job.claimed_job import ClaimedJob
from workers.gpu.job.job_store import JobStore
from workers.input_staging import stage, wants_inputs
from workers.store_watch import StoreWatch


@dataclass(frozen=True)
class StagedJob:
    """A job whose inputs are on this machine."""

    claimed: ClaimedJob
    inputs: Mapping[str, str]
    """Files by the names of the inputs."""


def stage_inputs(claimed: ClaimedJob, store: Store, store_watch: StoreWatch, job_store: JobStore) -> StagedJob:
    """Copy the job's inputs into its folder. Raises `InputUnreachable` and `StorageUnavailable`."""
    if not wants_inputs(claimed.job):
        return StagedJob(claimed, {})
    copies = job_store.clean_copies(claimed.job)
    try:
        return StagedJob(claimed, stage(store, claimed.job, copies, claimed.folder / "inputs"))
    except StorageUnavailable as error:
        store_watch.note_refusal(error)
        raise
