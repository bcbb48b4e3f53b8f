"""OpenAI's routes of videos: made in their own time, looked at, listed, downloaded, deleted."""

import asyncio
from typing import Any, Literal

from litestar import Controller, MediaType, Response, delete, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, SkipValidation

from api.dialects.openai.forms import received_form
from api.dialects.openai.lists import Limit, Order, list_of
from api.dialects.openai.requests import JobsOfRequest, OpenAIRequests
from api.dialects.openai.results import headers_of
from api.dialects.openai.schema import OpenAIVideoRequest
from api.follow.job_lookup import find_job
from api.follow.notifier import Notifier
from api.http.auth import Caller, needs
from api.http.database import Database
from api.http.strict_json import StrictRequest
from api.operations.job_control import remove_job
from api.operations.server_commands import ServerCommands
from api.operations.uploads import UploadOperations
from api.submit.endpoint import IdempotencyKeyHeader
from core.errors.conflicts import MediaNotReady
from core.errors.fields import NotSupportedYet
from core.errors.http import NotOffered
from core.errors.unknown import OutputExpired, UnknownOutput
from core.ids import check_id
from core.settings import Settings
from core.storage.store import Store
from jobs.job import Artifact, Job, JobStatus, job_from_row
from jobs.params.video import VideoParams
from jobs.previews import Preview
from jobs.statements.queue.tenant_jobs import listing
from jobs.wire.dialects.openai import NAME, VIDEO, OpenAIVideo, video_answer, video_id
from pipelines.catalog.aliases import Aliases
from pipelines.catalog.loader import Catalog
from pipelines.catalog.sizes import VIDEO_SIDES, VIDEO_STEP, fit_sides, parse_pair

USUAL = (896, 512)
URL_FIELD, FILE_FIELD = "input_reference[image_url]", "input_reference[file_id]"
POLL_AFTER = {"openai-poll-after-ms": "1000"}
NOT_READY = "This video is not completed; poll it until its `status` is completed."
NO_REMIX = "Videos are not made of other videos here; send a prompt and a picture to POST /videos."
VARIANTS = {"thumbnail": "thumbnail", "spritesheet": "strip"}
"""Names of previews, by those of variants."""


class OpenAIVideoRoutes(Controller):
    """Routes of videos."""

    path = "/videos"
    opt = needs("jobs")

    @post(status_code=200, request_max_body_size=None)
    async def create(
        self,
        request: StrictRequest,
        openai_requests: NamedDependency[OpenAIRequests],
        uploads: NamedDependency[UploadOperations],
        catalog: NamedDependency[Catalog],
        aliases: NamedDependency[Aliases],
        settings: NamedDependency[Settings],
        idempotency_key: IdempotencyKeyHeader = None,
    ) -> Response[OpenAIVideo]:
        """Accept a video, and answer with its id."""
        async with received_form(request, settings, settings.input_max_bytes) as form:
            asked = form.read(OpenAIVideoRequest, also=(URL_FIELD, FILE_FIELD))
            form.check_files(*(("input_reference",) if form.files else ()))
            if FILE_FIELD in form.texts:
                raise NotSupportedYet(
                    "`input_reference` takes a file or an `image_url`; send the file itself.", field="$.input_reference"
                )

            async def read() -> JobsOfRequest:
                picture = next(iter(form.texts.get(URL_FIELD, [])), None)
                for file in form.files_of("input_reference"):
                    picture = await uploads.add(request.user, file.path, "image", "$.input_reference")
                return video_jobs(asked, aliases.model(catalog, "video", asked.model, NAME), picture)

            jobs = await openai_requests.submit(request, read, idempotency_key)
        return Response(video_answer(jobs[0]), status_code=200, headers={**headers_of(jobs), **POLL_AFTER})

    @get()
    async def index(
        self,
        caller: NamedDependency[Caller],
        database: NamedDependency[Database],
        limit: Limit = 20,
        after: FromQuery[str | None] = None,
        order: FromQuery[Order] = "desc",
    ) -> dict[str, Any]:
        """List videos, the newest first."""
        last = None if after is None else await _find(database, caller, after)
        before = None if last is None else (last.created_at, last.id)
        statement = listing(
            caller.tenant, limit=limit + 1, modality="video", before=before, oldest_first=order == "asc"
        )
        return list_of([job_from_row(row) for row in await database.rows(statement)], limit, video_answer)

    @get("/{video:str}")
    async def show(
        self, video: FromPath[str], caller: NamedDependency[Caller], database: NamedDependency[Database]
    ) -> Response[OpenAIVideo]:
        """Return a video as it is now."""
        return Response(video_answer(await _find(database, caller, video)), headers=POLL_AFTER)

    @get("/{video:str}/content", status_code=302)
    async def download(
        self,
        video: FromPath[str],
        caller: NamedDependency[Caller],
        database: NamedDependency[Database],
        store: NamedDependency[SkipValidation[Store]],
        settings: NamedDependency[Settings],
        variant: FromQuery[Literal["video", "thumbnail", "spritesheet"]] = "video",
    ) -> Response[None]:
        """Redirect to the file of a completed video, or to a small copy of it."""
        job = await _find(database, caller, video)
        found = _file(job, variant)
        link = await asyncio.to_thread(
            store.link,
            found.key,
            seconds=settings.link_seconds,
            media_type=found.media_type,
            name=f"{video_id(job)}.{found.key.rpartition('.')[2]}",
        )
        return Response(
            None, media_type=MediaType.TEXT, status_code=302, headers={"Location": link, "Cache-Control": "no-store"}
        )

    @delete("/{video:str}", status_code=200)
    async def remove(
        self,
        video: FromPath[str],
        caller: NamedDependency[Caller],
        database: NamedDependency[Database],
        notifier: NamedDependency[Notifier],
        server_commands: NamedDependency[ServerCommands],
    ) -> dict[str, Any]:
        """Delete a video; one that is being made is cancelled."""
        job = await _find(database, caller, video)
        await remove_job(job.id, caller.tenant, database, notifier, server_commands)
        return {"id": video, "object": "video.deleted", "deleted": True}

    @post(["/{video:str}/remix", "/edits", "/extensions", "/characters"], include_in_schema=False)
    async def remix(self) -> None:
        """Refuse what takes a video."""
        raise NotOffered(NO_REMIX)


def video_jobs(asked: OpenAIVideoRequest, model: str | None, picture: str | None) -> JobsOfRequest:
    """Return the job of a request for a video."""
    (width, height), warnings = USUAL, tuple[str, ...]()
    if asked.size is not None:
        width, height = fit_sides(*parse_pair(asked.size, "x"), VIDEO_SIDES, VIDEO_STEP)
        if asked.size != f"{width}x{height}":
            bounds = f"multiples of {VIDEO_STEP} pixels, at most {VIDEO_SIDES[1]}"
            warnings = (f"size {asked.size} is resized to {width}x{height}: sides are {bounds}",)
    params = VideoParams(
        prompt=asked.prompt,
        model=model,
        input_image=picture,
        width=width,
        height=height,
        duration_seconds=float(asked.seconds),
        negative_prompt=asked.negative_prompt,
        seed=asked.seed,
    )
    return JobsOfRequest([params], asked.model, warnings=warnings)


async def _find(database: Database, caller: Caller, video: str) -> Job:
    """Return the caller's job that is shown as this video. Raises `MalformedId` or `UnknownJob`."""
    native = f"job_{check_id(VIDEO, video).removeprefix(f'{VIDEO}_')}"
    return await find_job(database, caller, native, "video")


def _file(job: Job, variant: str) -> Artifact | Preview:
    """Return the file of a variant. Raises `MediaNotReady`, `OutputExpired` or `UnknownOutput`."""
    if job.status is not JobStatus.COMPLETED:
        raise MediaNotReady(NOT_READY)
    if job.outputs_removed_at is not None or not job.artifacts:
        raise OutputExpired
    if variant == "video":
        return job.artifacts[0]
    found = next((one for one in job.artifacts[0].previews if one.name == VARIANTS[variant]), None)
    if found is None:
        raise UnknownOutput("This video has no such variant.")
    return found
