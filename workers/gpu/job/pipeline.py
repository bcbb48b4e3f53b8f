"""The way of a claimed job: stage, compute, encode, upload, commit."""

from dataclasses import dataclass
from functools import partial

from core.settings import Settings
from core.storage.store import Store
from jobs.job import Job
from workers.gpu.job.canceller import JobCanceller
from workers.gpu.job.claimed_job import ClaimedJob
from workers.gpu.job.commit import commit
from workers.gpu.job.compute import compute
from workers.gpu.job.encode import encode, encode_part
from workers.gpu.job.failures import EARLY_ENDS, settle
from workers.gpu.job.job_store import JobStore
from workers.gpu.job.progress_writer import ProgressWriter
from workers.gpu.job.slots import JobSlots
from workers.gpu.job.stage import stage_inputs
from workers.gpu.job.upload import upload
from workers.ipc.child_process import ChildProcess
from workers.ipc.messages import SoundPart
from workers.piece_relay import PieceRelay
from workers.preview_relay import PreviewRelay
from workers.scratch import Scratch
from workers.store_watch import StoreWatch


@dataclass(frozen=True, kw_only=True)
class JobServices:
    """What the jobs of one worker share."""

    settings: Settings
    job_store: JobStore
    store: Store
    store_watch: StoreWatch
    scratch: Scratch
    engine: ChildProcess
    encoder: ChildProcess
    slots: JobSlots
    canceller: JobCanceller
    progress: ProgressWriter
    previews: PreviewRelay
    pieces: PieceRelay


def run_job(claimed: ClaimedJob, services: JobServices) -> Job | None:
    """Take a claimed job to its end in the calling thread; returns it as it then is, or None when the claim was gone.

    Computing is one at a time; everything else overlaps with the computing of other jobs.
    """
    store, job_store = services.store, services.job_store
    try:
        staged = stage_inputs(claimed, store, services.store_watch, job_store)
        computed = compute(
            staged, services.engine, services.slots, services.progress, services.previews, partial(_play, services)
        )
        services.pieces.finish(claimed.ticket)
        encoded = encode(computed, services.encoder)
        uploaded = upload(encoded, store, services.store_watch, job_store, services.settings.upload_retry_seconds)
        return commit(uploaded, services.engine.ready, job_store, store)
    except EARLY_ENDS as error:
        return settle(claimed, error, job_store)
    finally:
        claimed.activity.leave()
        services.pieces.finish(claimed.ticket)


def _play(services: JobServices, claimed: ClaimedJob, part: SoundPart) -> None:
    encode = partial(encode_part, claimed, part, services.encoder)
    services.pieces.add(claimed.ticket, claimed.job.id, encode, is_first=part.number == 0)
