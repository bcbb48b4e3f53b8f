"""The samples of built-in voices: a sentence that a job speaks when a sample is first asked for.

The jobs are a tenant's of their own, so no caller pays for them. A sample is found by its job; once its file was
removed, or the job has failed, the next request for it makes another one.
"""

import asyncio
import time
from datetime import UTC, datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from api.http.auth import Caller
from api.http.database import Database
from api.operations.voice_directory import builtin_voice
from api.submit.service import Submission, Submissions
from api.submit.validation import IdempotencyKey
from core.errors.unavailable import SampleUnavailable
from core.errors.unknown import UnknownVoice
from core.ids import new_id
from core.settings import Settings
from core.signing import sign_link
from jobs.job import Job, JobStatus, job_from_row
from jobs.params.speech import SpeechParams
from jobs.statements.api_keys import ensure_tenant
from jobs.statements.queue.tenant_jobs import listing
from jobs.wire.links import public_link
from jobs.wire.status import output_path
from pipelines.catalog.loader import Catalog, ModelSpec
from pipelines.catalog.requirements import speaks

TENANT = "atelier: voice samples"
TEXT = "Hello. This is a sample of my voice. How may I help you today?"
RETRY = timedelta(minutes=1)
"""How long a failed sample is not tried again."""
LOOK_SECONDS = 0.5
LOWEST_PRIORITY = 0
RECENT = 100
"""Samples of a model of several voices among which that of one is looked for."""


class VoiceSamples:
    """Finds the sample of a built-in voice, or has it made."""

    def __init__(self, database: Database, catalog: Catalog, submissions: Submissions, settings: Settings) -> None:
        self._database = database
        self._catalog = catalog
        self._submissions = submissions
        self._settings = settings

    async def link(self, name: str) -> str:
        """Return a link to the sample of a model's voice, once it is made; `name` is its id without the prefix.

        Raises `UnknownVoice` for a model without a voice, what a submit raises, and `SampleUnavailable` when it is not
        made in time.
        """
        found = builtin_voice(name, self._catalog)
        if found is None:
            raise UnknownVoice
        spec, voice = found
        until = time.monotonic() + self._settings.sync_seconds
        tenant = await self._database.transaction(_own_tenant)
        job = await self._newest(spec, voice, tenant)
        if job is None or not _is_usable(job):
            if job is not None and job.status is JobStatus.FAILED and _is_recent(job):
                raise SampleUnavailable
            await self._submit(spec, voice, tenant, job)
        while job is None or job.status is not JobStatus.COMPLETED or not _is_usable(job):
            if time.monotonic() >= until or (job is not None and job.status is JobStatus.FAILED and _is_recent(job)):
                raise SampleUnavailable
            await asyncio.sleep(LOOK_SECONDS)
            job = await self._newest(spec, voice, tenant)
        path = output_path(job.id, 0, job.artifacts[0].key.rpartition(".")[2])
        return public_link(self._settings, f"{path}?signature={sign_link(self._settings.secret_key, path)}")

    async def _newest(self, spec: ModelSpec, voice: str | None, tenant: str) -> Job | None:
        limit = RECENT if voice else 1
        rows = await self._database.rows(listing(tenant, limit=limit, modality="speech", model=spec.id))
        return next((job for job in map(job_from_row, rows) if job.params.get("voice") == voice), None)

    async def _submit(self, spec: ModelSpec, voice: str | None, tenant: str, before: Job | None) -> None:
        """Submit the job; processes that do so at the same time make one, by its Idempotency-Key."""
        language = "en" if speaks(spec, "en") else spec.languages[0]
        params = SpeechParams(
            text=TEXT, model=spec.id, voice=voice, language_id=language, output_format="mp3", priority=LOWEST_PRIORITY
        )
        name = before.id if before is not None else f"{spec.id}:{voice}" if voice else spec.id
        submission = Submission(
            job_id=new_id("job"),
            caller=Caller(tenant, "", priority_ceiling=LOWEST_PRIORITY),
            params=params,
            idempotency_key=IdempotencyKey(f"sample:{name}", TEXT),
        )
        await self._submissions.submit(submission)


async def _own_tenant(connection: AsyncConnection) -> str:
    """Return the tenant of the samples, which is made where it is not there."""
    tenant: str = (await connection.execute(ensure_tenant(TENANT))).scalar_one()
    return tenant


def _is_usable(job: Job) -> bool:
    """Return whether the job's sample is there, or on its way."""
    if not job.status.terminal:
        return True
    return job.status is JobStatus.COMPLETED and bool(job.artifacts) and job.outputs_removed_at is None


def _is_recent(job: Job) -> bool:
    return job.finished_at is not None and datetime.now(UTC) - job.finished_at < RETRY
