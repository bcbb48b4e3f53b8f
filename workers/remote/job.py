"""The way of a job that a remote backend makes: stage, make, decode, encode, upload, commit."""

import asyncio
import dataclasses
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec
from PIL import Image

from core.errors.failures import BackendFailed, BackendRefused, NoBackgroundRemoval
from core.settings import Settings
from core.storage.store import Store
from jobs.job import Job, JobError
from jobs.params.base import Params
from jobs.params.image import ImageParams
from jobs.params.media import PICTURE
from pipelines.branding.finish import SUBJECT
from pipelines.branding.guidance import for_model, with_palette
from pipelines.catalog.backends import Backend
from pipelines.catalog.requirements import settle
from pipelines.catalog.sizes import Size
from pipelines.image.outpaint import extended_size, size_within
from pipelines.image.size import SizePlan, plan_size
from pipelines.runtime.protocol import Inputs, RawOutput, save_raw
from workers.gpu.job.cancellation import JobUnwanted
from workers.gpu.job.claimed_job import ClaimedJob
from workers.gpu.job.commit import commit
from workers.gpu.job.compute import ComputedJob
from workers.gpu.job.encode import encode
from workers.gpu.job.failures import EARLY_ENDS
from workers.gpu.job.failures import settle as settle_early_end
from workers.gpu.job.job_store import JobStore
from workers.gpu.job.progress_writer import ProgressWriter
from workers.gpu.job.stage import StagedJob, stage_inputs
from workers.gpu.job.upload import upload
from workers.ipc.child_process import ChildProcess
from workers.ipc.messages import Ready, StageProgress
from workers.remote.atelier import AtelierJob
from workers.remote.circuit import BackendCircuit
from workers.remote.connection import BackendConnection
from workers.remote.decoder import RemoteDecoder
from workers.remote.openai import OpenAIJob
from workers.remote.outcomes import RemoteAway, RemoteFiles, RemoteJob, RemoteRefused, RemoteRequest
from workers.store_watch import StoreWatch

log = logging.getLogger(__name__)

MULTIPLE = 8
"""Sides that a backend is asked for are multiples of it, where the entry does not say."""
ABANDON_SECONDS = 5.0
"""How long a backend may take to learn that a job is not wanted any more."""
UNWANTED_SECONDS = 0.1
"""How often it is looked whether a job is still wanted."""
SLACK_SECONDS = 30.0
"""How much longer than the backend's time a job's lease is renewed meanwhile."""


@dataclass(frozen=True, kw_only=True)
class RemoteServices:
    """What the jobs of one backend share."""

    settings: Settings
    backend: Backend
    key: str
    circuit: BackendCircuit
    job_store: JobStore
    store: Store
    store_watch: StoreWatch
    encoder: ChildProcess
    decoder: RemoteDecoder
    progress: ProgressWriter
    versions: Mapping[str, str]


def run_remote_job(claimed: ClaimedJob, services: RemoteServices) -> Job | None:
    """Take a claimed job to its end in the calling thread; return it as it then is, None when the claim was gone."""
    store, store_watch, job_store = services.store, services.store_watch, services.job_store
    failures = services.circuit.failures
    try:
        staged = stage_inputs(claimed, store, store_watch, job_store)
        made = _make(staged, services)
        services.circuit.note_success(failures)
        encoded = encode(made, services.encoder)
        uploaded = upload(encoded, store, store_watch, job_store, services.settings.upload_retry_seconds)
        return commit(
            uploaded, Ready(versions=dict(services.versions)), job_store, store, backend=_identity(claimed, services)
        )
    except RemoteAway as error:
        log.error("backend: away name=%s job=%s reason=%r", services.backend.name, claimed.job.id, str(error))
        services.circuit.note_failure(error.problem, error.retry_after)
        claimed.activity.leave()
        if not error.may_have_computed:
            return job_store.release(claimed.job)
        last = f"{BackendFailed.advice} The last attempt: {error.problem}."
        return job_store.lose(claimed.job, JobError(BackendFailed.code, last), claimed.device_time)
    except RemoteRefused as error:
        services.circuit.note_success(failures)
        log.warning("backend: refused name=%s job=%s reason=%r", services.backend.name, claimed.job.id, error.detail)
        return job_store.fail(
            claimed.job, JobError(BackendRefused.code, f"{BackendRefused.advice} It said: {error.detail}")
        )
    except NoBackgroundRemoval as error:
        return job_store.fail(claimed.job, JobError(error.code, error.detail))
    except EARLY_ENDS as error:
        return settle_early_end(claimed, error, job_store)
    finally:
        claimed.activity.leave()


def _make(staged: StagedJob, services: RemoteServices) -> ComputedJob:
    """Have the backend make the job, and save its files as arrays.

    Raises `RemoteAway`, `RemoteRefused`, `NoBackgroundRemoval` and `JobUnwanted`.
    """
    claimed = staged.claimed
    if SUBJECT in staged.inputs:
        raise NoBackgroundRemoval
    settled = settle(claimed.spec, claimed.job.read_params())
    params = with_palette(settled.params, None)
    asked = _size(params, staged.inputs)
    plan = None if asked is None else plan_size(claimed.spec, asked, claimed.spec.limits.side_multiple or MULTIPLE)
    place = claimed.spec.place_of(services.backend.name)
    assert place is not None, "only models whose order has the backend are claimed"
    inputs = for_model(Inputs({name: Path(file) for name, file in staged.inputs.items()})).files
    request = RemoteRequest(
        job=claimed.job,
        spec=claimed.spec,
        backend=services.backend,
        place=place,
        params=params,  # type: ignore[arg-type]
        size=None if plan is None else plan.make,
        inputs=inputs,
        folder=claimed.folder / "remote",
    )
    claimed.activity.enter("step", services.backend.timeout_seconds + SLACK_SECONDS)
    answer = asyncio.run(_ask(claimed, request, services))
    claimed.activity.leave()
    claimed.activity.wait_for("encode", services.settings.sanitise_timeout + SLACK_SECONDS)
    raw = _decode(answer, plan, services.decoder)
    folder = claimed.folder / "raw"
    size_warning = () if plan is None or plan.warning is None else (plan.warning,)
    warnings = (*settled.warnings, *size_warning, *answer.warnings, *raw.warnings)
    metadata = {"seed": claimed.job.seed, **raw.metadata}
    save_raw(msgspec.structs.replace(raw, warnings=warnings, metadata=metadata), folder)
    return ComputedJob(_without_second_mark(claimed, answer), folder, staged.inputs)


def _size(params: Params, inputs: Mapping[str, str]) -> Size | None:
    """Return the size of the image of a job; None for another modality."""
    if not isinstance(params, ImageParams):
        return None
    if params.padding is None or PICTURE not in inputs:
        return params.width, params.height
    with Image.open(inputs[PICTURE], formats=["PNG"]) as picture:
        return size_within(extended_size(picture.size, params.padding), (params.width, params.height))


def _decode(answer: RemoteFiles, plan: SizePlan | None, decoder: RemoteDecoder) -> RawOutput:
    return decoder.speech(answer.files[0]) if plan is None else decoder.images(answer.files, plan)


def _without_second_mark(claimed: ClaimedJob, answer: RemoteFiles) -> ClaimedJob:
    """Return the job for the encoder: it puts no inaudible mark into speech that has one from the backend."""
    if not answer.has_watermark:
        return claimed
    params = claimed.job.params | {"apply_watermark": False}
    return dataclasses.replace(claimed, job=msgspec.structs.replace(claimed.job, params=params))


async def _ask(claimed: ClaimedJob, request: RemoteRequest, services: RemoteServices) -> RemoteFiles:
    """Return what the backend has made; its request is closed when the job is unwanted, and at the end of its time."""

    def report(fraction: float) -> None:
        claimed.activity.report(fraction)
        services.progress.write(claimed, StageProgress(ticket=claimed.ticket, fraction=fraction, stage="step"))

    seconds = min(services.backend.timeout_seconds, max(0.0, claimed.seconds_left))
    async with BackendConnection(services.settings, services.backend, services.key) as connection:
        remote: RemoteJob = (
            OpenAIJob(connection, request, report)
            if services.backend.kind == "openai"
            else AtelierJob(services.settings, connection, request, report)
        )
        made = asyncio.create_task(remote.make())
        unwanted = asyncio.create_task(_until_unwanted(claimed))
        await asyncio.wait({made, unwanted}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        unwanted.cancel()
        if made.done():
            return made.result()
        made.cancel()
        await asyncio.wait({made})
        if not claimed.cancellation.is_set:
            await _abandon(remote)
            raise RemoteAway("timed_out", f"no answer within {seconds:g} s", may_have_computed=True)
        # Another worker that has the job now follows the one that was submitted there.
        if claimed.cancellation.claim_is_gone and await asyncio.to_thread(services.job_store.has_ended, claimed.job):
            await _abandon(remote)
        raise JobUnwanted


async def _until_unwanted(claimed: ClaimedJob) -> None:
    while not await asyncio.to_thread(claimed.cancellation.wait, UNWANTED_SECONDS):
        pass


async def _abandon(remote: RemoteJob) -> None:
    try:
        async with asyncio.timeout(ABANDON_SECONDS):
            await remote.abandon()
    except (RemoteAway, RemoteRefused, TimeoutError) as error:
        log.warning("backend: job not cancelled there reason=%r", str(error))


def _identity(claimed: ClaimedJob, services: RemoteServices) -> str:
    """Return what the environment of a job says of who made it."""
    place = claimed.spec.place_of(services.backend.name)
    model = (place.model if place else None) or claimed.spec.id
    return f"{services.backend.kind}:{services.backend.name}:{model}"
