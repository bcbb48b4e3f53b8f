"""The factory of the submit and status routes of a modality; what differs among modalities is their `ModalitySpec`."""

import math
from functools import partial
from typing import Annotated, cast

from litestar import Controller, Response, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.openapi import ResponseSpec
from litestar.openapi.spec import Example
from litestar.params import Body, FromPath, QueryParameter

from api.follow.output_stream import OutputFeed
from api.follow.status import StatusBuilder
from api.http.auth import SHOWS_JOB, needs, shown_job
from api.http.plain_calls import called_plainly
from api.http.strict_json import StrictRequest
from api.native.jobs.accepted import accepted, status_url
from api.native.jobs.sound import format_of_accept, sound_answer, streamed
from api.openapi.documents import error_responses
from api.submit.endpoint import IdempotencyKeyHeader, SubmitEndpoint
from api.submit.errors import SUBMIT_ERRORS
from core.errors.unknown import MalformedId, UnknownJob
from jobs.params.modality import ModalitySpec
from jobs.params.speech import SpeechParams
from jobs.statements.queue.look import JobView
from jobs.wire.jobs import Accepted
from jobs.wire.status import StatusAnswer

Wait = Annotated[
    float, QueryParameter(ge=0, le=86_400, description="Hold the answer until the job ends, at most this many seconds.")
]
CancelOnDisconnect = Annotated[
    bool, QueryParameter(description="With `wait`: cancel the job when you disconnect before it has ended.")
]
STREAMS = (
    " A request that accepts `audio/*`, or a type of sound, is answered with the sound itself as it is made: 200 from "
    "the first sound on. It waits for that for `wait` seconds, or as long as a request may, and answers 202 then."
)
ENDED = {200: ResponseSpec(StatusAnswer, generate_examples=False, description="The job ended within `wait`.")}


def generate_controller(
    modality: ModalitySpec, submit_endpoint: SubmitEndpoint, status_builder: StatusBuilder, output_feed: OutputFeed
) -> type[Controller]:
    """Return the controller with the submit route and the status route of a modality."""
    return type(
        f"{modality.params.__name__}Routes",
        (Controller,),
        {
            "path": modality.path,
            "tags": ("Generate",),
            "create": submit_route(modality, submit_endpoint, output_feed),
            "status": status_route(modality, status_builder),
        },
    )


def submit_route(modality: ModalitySpec, submit_endpoint: SubmitEndpoint, output_feed: OutputFeed) -> HTTPRouteHandler:
    """Return the submit route of a modality: an attribute of its controller."""
    examples = [Example(summary=summary, value=value) for summary, value in modality.examples]
    body = Annotated[modality.params, Body(examples=examples)]  # type: ignore[name-defined]

    @post(
        status_code=202,
        opt=called_plainly("Idempotency-Key", *(["Accept: audio/"] if modality.streams else [])) | needs("jobs"),
        responses=ENDED | error_responses(*SUBMIT_ERRORS),
        summary=modality.summary,
        description=f"Accept a job and answer 202 with its id; {modality.note}{STREAMS if modality.streams else ''}",
    )
    async def create(
        self: object,
        request: StrictRequest,
        data: body,
        wait: Wait = 0.0,
        cancel_on_disconnect: CancelOnDisconnect = False,
        idempotency_key: IdempotencyKeyHeader = None,
    ) -> Response[Accepted | StatusAnswer]:
        answer: Accepted | StatusAnswer
        if isinstance(data, SpeechParams) and (wanted := format_of_accept(request)) is not None:
            submitted = await submit_endpoint.submit(request, streamed(data, wanted), idempotency_key=idempotency_key)
            leave = partial(submit_endpoint.cancel, request.user, submitted.job.id)
            sound = await sound_answer(
                output_feed,
                request,
                JobView(submitted.job),
                submit_endpoint.settings,
                seconds=min(wait or math.inf, submit_endpoint.settings.wait_limit),
                headers={"Idempotency-Replayed": "true"} if submitted.repeated else {},
                leave=leave if cancel_on_disconnect and not submitted.repeated else None,
            )
            if sound is not None:
                return cast(Response[Accepted | StatusAnswer], sound)  # the schema of the 202
            answer, status_code = accepted(submitted.job, submit_endpoint.settings), 202
        elif wait > 0:
            submitted, view = await submit_endpoint.submit_and_wait(
                request, data, wait, idempotency_key=idempotency_key, cancels=cancel_on_disconnect
            )
            answer, status_code = submit_endpoint.watcher.answer(view), 200 if view.job.status.terminal else 202
        else:
            submitted = await submit_endpoint.submit(request, data, idempotency_key=idempotency_key)
            answer, status_code = accepted(submitted.job, submit_endpoint.settings), 202
        headers = {"Location": status_url(submitted.job, submit_endpoint.settings)}
        if submitted.repeated:
            headers["Idempotency-Replayed"] = "true"
        return Response(answer, status_code=status_code, headers=headers)

    return create


def status_route(modality: ModalitySpec, status_builder: StatusBuilder) -> HTTPRouteHandler:
    """Return the status route of a modality: an attribute of its controller."""

    @get(
        "/status/{job_id:str}",
        opt=SHOWS_JOB | called_plainly() | needs("jobs"),
        responses=error_responses(MalformedId, UnknownJob),
        summary=modality.status_summary,
    )
    async def status(self: object, request: StrictRequest, job_id: FromPath[str]) -> StatusAnswer:
        """Return the job as it is now; poll until `status` is completed, failed or cancelled."""
        view = shown_job(request)
        if view.job.modality != modality.name:
            raise UnknownJob
        return status_builder.answer(view)

    return status
