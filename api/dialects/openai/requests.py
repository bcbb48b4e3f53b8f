"""The way of an OpenAI request: submitted, unless it repeats one that has made its jobs already, and waited for.

Its clients repeat a POST by themselves, without an Idempotency-Key, and number the attempts. A repeat with the body of
a request of the same key in the last minutes is answered with the jobs of that one.
"""

import asyncio
import hashlib
import time
from collections.abc import Awaitable, Callable, Sequence

import msgspec

from api.dialects.openai.results import read_artifact
from api.follow.connection import while_connected
from api.http.database import Database
from api.http.strict_json import StrictRequest
from api.operations.grouped_jobs import GroupedJobs
from api.submit.endpoint import SubmitEndpoint
from core.storage.store import Store
from jobs.job import Job
from jobs.params.registry import AnyParams
from jobs.params.requests.origin import Origin
from jobs.statements.groups import newest_of_body
from jobs.statements.queue.look import JobView
from jobs.wire.dialects.openai import NAME

ATTEMPT = "x-stainless-retry-count"
"""The header with the number of the attempt, from 0."""
REPEAT_SECONDS = 900
"""How long a request is remembered for its repeats."""


class JobsOfRequest(msgspec.Struct, frozen=True):
    """What a request asks for: the parameters of its jobs, and what its answer says beside them."""

    params: Sequence[AnyParams]
    model: str | None = None
    voice: str | None = None
    warnings: tuple[str, ...] = ()


class OpenAIRequests:
    """Submits requests of the dialect and waits for their jobs."""

    def __init__(self, endpoint: SubmitEndpoint, database: Database, grouped_jobs: GroupedJobs, store: Store) -> None:
        self._endpoint = endpoint
        self._database = database
        self._grouped_jobs = grouped_jobs
        self._store = store

    async def submit(
        self, request: StrictRequest, read: Callable[[], Awaitable[JobsOfRequest]], idempotency_key: str | None
    ) -> list[Job]:
        """Return the jobs of a request; what they are is `read` for a new one only.

        The digest of the body must be known (`StrictRequest.body_digest`). Raises what a submit raises.
        """
        caller, body = request.user, await hash_of(request)
        if idempotency_key is None and attempt_of(request) > 0:
            row = await self._database.row(newest_of_body(caller.tenant, body, REPEAT_SECONDS))
            if row is not None:
                return await self._grouped_jobs.find(caller, row.id)
            # Two repeats at once make one job, too; a key of this span is of no use to a later one.
            idempotency_key = f"{NAME}:{body}:{int(time.time() // REPEAT_SECONDS)}"
        asked = await read()
        origin = Origin(dialect=NAME, model=asked.model, voice=asked.voice, warnings=asked.warnings, body=body)
        submitted = await self._endpoint.submit_together(
            request, asked.params, idempotency_key=idempotency_key, origin=origin
        )
        return [each.job for each in submitted]

    async def wait(self, request: StrictRequest, jobs: Sequence[Job]) -> list[Job]:
        """Return jobs once all have ended, or as they are after `ATELIER_SYNC_SECONDS`."""
        return await while_connected(request.receive, self.wait_for_end(request.user.key_id, jobs), list(jobs))

    async def read_output(self, job: Job) -> bytes:
        """Return the file of a completed job. Raises `UnknownOutput` and `StorageUnavailable`."""
        return await asyncio.to_thread(read_artifact, self._store, job.artifacts[0])

    async def wait_for_end(self, key_id: str, jobs: Sequence[Job]) -> list[Job]:
        """Return the same without looking at the connection. Raises what `JobWatcher.wait` raises."""
        settings = self._endpoint.settings
        seconds = min(settings.sync_seconds, settings.wait_limit)
        waits = (self._endpoint.watcher.wait(JobView(job), key_id, seconds) for job in jobs)
        return [view.job for view in await asyncio.gather(*waits)]


async def hash_of(request: StrictRequest) -> str:
    """Return what a repeat of a request has in common with it: a hash of its key, its path and its body."""
    return hashlib.sha256(f"{request.user.key_id}\n{await request.body_digest()}".encode()).hexdigest()


def attempt_of(request: StrictRequest) -> int:
    """Return the number of the attempt; 0 where the client does not say it."""
    said = request.headers.get(ATTEMPT, "0")
    return int(said) if said.isascii() and said.isdigit() else 0
