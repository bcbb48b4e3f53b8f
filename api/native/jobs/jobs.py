"""/jobs/v1: jobs of every modality."""

from datetime import datetime
from typing import Annotated

from litestar import Controller, Response, delete, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, HeaderParameter, QueryParameter
from litestar.response import Stream

from api.follow.event_stream import EventStream, opened, read_event_id
from api.follow.job_lookup import find_job
from api.follow.notifier import Notifier
from api.follow.preview_feed import PreviewFeed
from api.follow.status import StatusBuilder
from api.follow.stream_limit import StreamLimit
from api.follow.watcher import JobWatcher
from api.http.auth import SHOWS_JOB, Caller, needs
from api.http.database import Database
from api.http.pagination import pack, require_zone, unpack
from api.openapi.documents import error_responses, extra_response
from api.operations.job_control import JobControl, remove_job
from api.operations.label_filter import LabelFilter, read_labels
from api.operations.server_commands import ServerCommands
from core.errors.fields import InvalidRequest, NulInText
from core.errors.limits import TooManyStreams
from core.errors.unknown import MalformedId, UnknownJob
from core.tracing import trace_id
from jobs.job import JobStatus, job_from_row
from jobs.params.registry import Modality
from jobs.statements.api_keys import tenant_name
from jobs.statements.queue.look import FollowedJob, JobView
from jobs.statements.queue.tenant_jobs import listing
from jobs.wire.job_request import JobRequest, job_request
from jobs.wire.jobs import JobPage, listed
from jobs.wire.status import StatusAnswer

Limit = Annotated[int, QueryParameter(ge=1, le=100, description="Jobs on a page.")]
ServerFilter = Annotated[
    str | None,
    QueryParameter(description="Only what this server runs or ran, or what asks for it; needs `since`."),
]
ErrorFilter = Annotated[str | None, QueryParameter(description="Only what failed with this code of GET /problems.")]
Since = Annotated[datetime | None, QueryParameter(description="Only what was submitted at this time or later.")]
Until = Annotated[datetime | None, QueryParameter(description="Only what was submitted before this time.")]
LastEventId = Annotated[
    str | None, HeaderParameter(name="Last-Event-ID", description="The `id` of the last event that you received.")
]
Previews = Annotated[
    bool,
    QueryParameter(
        description="Whether previews of its steps are wanted: events `preview` with `{step, of, image}`, at most two "
        "a second, of models whose latents can be shown."
    ),
]


class JobRoutes(Controller):
    """Routes that list, show, follow, cancel and delete jobs."""

    path = "/jobs/v1"
    tags = ("Jobs",)
    opt = needs("jobs")

    @get(responses=error_responses(InvalidRequest), summary="Your jobs")
    async def index(
        self,
        caller: NamedDependency[Caller],
        database: NamedDependency[Database],
        status_builder: NamedDependency[StatusBuilder],
        watcher: NamedDependency[JobWatcher],
        limit: Limit = 20,
        cursor: FromQuery[str | None] = None,
        status: FromQuery[JobStatus | None] = None,
        modality: FromQuery[Modality | None] = None,
        model: FromQuery[str | None] = None,
        label: LabelFilter = None,
        server_id: ServerFilter = None,
        error_code: ErrorFilter = None,
        since: Since = None,
        until: Until = None,
    ) -> JobPage:
        """Return your jobs, newest first. Pass `next_cursor` as `cursor` for the next page."""
        for name, words in (("model", model), ("server_id", server_id), ("error_code", error_code)):
            if words is not None and "\0" in words:
                raise NulInText(field=f"query.{name}")
        if server_id is not None and since is None:
            raise InvalidRequest("`server_id` needs `since`: every job since then is looked at.", field="query.since")
        before = unpack(cursor) if cursor else None
        rows = await database.rows(
            listing(
                caller.tenant,
                limit=limit + 1,
                status=status,
                modality=modality,
                model=model,
                labels=read_labels(label),
                server_id=server_id,
                error_code=error_code,
                since=require_zone(since, "since"),
                until=require_zone(until, "until"),
                before=before,
            )
        )
        page = [job_from_row(row) for row in rows[:limit]]
        next_cursor = pack(page[-1]) if len(rows) > limit else None
        views = await watcher.views(page, caller.key_id)
        answers = await status_builder.answers(views, caller)
        return JobPage([listed(view.job, answer) for view, answer in zip(views, answers, strict=True)], next_cursor)

    @get("/{job_id:str}", opt=SHOWS_JOB, responses=error_responses(MalformedId, UnknownJob), summary="One job")
    async def show(
        self,
        job_id: FromPath[str],
        job_view: NamedDependency[JobView],
        status_builder: NamedDependency[StatusBuilder],
    ) -> StatusAnswer:
        """Return the job as it is now, whatever its modality."""
        return status_builder.answer(job_view)

    @get(
        "/{job_id:str}/request", responses=error_responses(MalformedId, UnknownJob), summary="What a job was asked for"
    )
    async def show_request(
        self, job_id: FromPath[str], caller: NamedDependency[Caller], database: NamedDependency[Database]
    ) -> JobRequest:
        """Return the fields of the job's submit. They are in no event and in no webhook."""
        job = await find_job(database, caller, job_id)
        row = await database.row(tenant_name(caller.tenant))
        return job_request(job, trace_id(job.traceparent), caller.tenant if row is None else row.name)

    @post(
        "/{job_id:str}/cancel",
        status_code=200,
        responses=error_responses(MalformedId, UnknownJob),
        summary="Cancel a job",
    )
    async def cancel(
        self,
        job_id: FromPath[str],
        caller: NamedDependency[Caller],
        watcher: NamedDependency[JobWatcher],
        job_control: NamedDependency[JobControl],
    ) -> StatusAnswer:
        """Cancel the job unless it has already ended, and return it as it is now. May be repeated."""
        await job_control.cancel(caller, job_id)
        return watcher.answer(await watcher.read(FollowedJob(job_id, caller.key_id)))

    @delete("/{job_id:str}", responses=error_responses(MalformedId, UnknownJob), summary="Delete a job")
    async def remove(
        self,
        job_id: FromPath[str],
        caller: NamedDependency[Caller],
        database: NamedDependency[Database],
        notifier: NamedDependency[Notifier],
        server_commands: NamedDependency[ServerCommands],
    ) -> None:
        """Cancel the job if it runs, and remove its prompt, inputs and outputs; it answers 404 from then on."""
        await remove_job(job_id, caller.tenant, database, notifier, server_commands)

    @get(
        "/{job_id:str}/events",
        opt=SHOWS_JOB,
        responses=extra_response(204, "The event named by Last-Event-ID was the last.")
        | error_responses(MalformedId, UnknownJob, TooManyStreams),
        response_description="Server-sent events; `data` of a snapshot and of the last event is the status answer.",
        media_type="text/event-stream",
        summary="Follow a job",
    )
    async def events(
        self,
        job_id: FromPath[str],
        caller: NamedDependency[Caller],
        job_view: NamedDependency[JobView],
        watcher: NamedDependency[JobWatcher],
        stream_limit: NamedDependency[StreamLimit],
        preview_feed: NamedDependency[PreviewFeed],
        last_event_id: LastEventId = None,
        previews: Previews = False,
    ) -> Stream | Response[None]:
        """Stream server-sent events: `progress`, and at the end `completed`, `failed` or `cancelled`.

        With `previews`, events `preview` show how an image or a film looks by now. They have no `id`.

        A client that has already received the last event is answered 204, so that a browser does not reconnect.
        """
        seen = read_event_id(last_event_id)
        if job_view.job.status.terminal and seen.seq == job_view.job.event_seq:
            return Response(None, status_code=204)
        feed = preview_feed if previews else None
        stream = EventStream(watcher, stream_limit, job_view, caller.key_id, seen, feed)
        headers = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
        return Stream(await opened(stream.frames()), media_type="text/event-stream", headers=headers)
