"""Many jobs in one call, the priority of a waiting job, a failed job again, and the tenant's queue."""

from typing import Annotated, Any

import msgspec
from litestar import Controller, Response, patch, post
from litestar.di import NamedDependency
from litestar.openapi.spec import Example
from litestar.params import Body, FromPath, JSONBody
from msgspec import Meta

from api.follow.watcher import JobWatcher
from api.http.auth import Caller, needs
from api.http.strict_json import BODY_ERRORS, StrictRequest
from api.native.jobs.accepted import accepted
from api.openapi.documents import error_responses
from api.operations.job_control import JobControl
from api.submit.endpoint import IdempotencyKeyHeader, SubmitEndpoint
from api.submit.errors import SUBMIT_ERRORS
from api.submit.job_fields import params_of
from api.submit.redrives import Redrives
from core.errors.conflicts import InputsForgotten, JobNotFailed, JobNotWaiting, PromptForgotten
from core.errors.limits import BudgetExhausted, TooManyJobs
from core.errors.unknown import MalformedId, UnknownJob
from core.ids import new_id
from core.settings import Settings
from jobs.params.registry import AnyParams
from jobs.statements.queue.look import FollowedJob
from jobs.wire.jobs import Accepted, AcceptedJobs, QueueState
from jobs.wire.status import StatusAnswer

MOST_JOBS = 100
EXAMPLES = [
    Example(
        summary="A picture and its cut-out",
        value={
            "jobs": [
                {"modality": "image", "prompt": "a red chair"},
                {"modality": "remove-background", "input_image": "https://shop.example/chair.jpg"},
            ]
        },
    )
]


class ManyJobs(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Jobs to submit together."""

    jobs: Annotated[
        tuple[dict[str, Any], ...],
        Meta(
            min_length=1,
            max_length=MOST_JOBS,
            description="Each has its `modality`, and the fields of the submit route of that modality.",
        ),
    ]

    def params(self) -> list[AnyParams]:
        """Return the parameters of each. Raises what the route of a modality would, with the job's place."""
        return [params_of(one, _place(number)) for number, one in enumerate(self.jobs)]


def _place(number: int) -> str:
    return f"$.jobs[{number}]"


class JobChange(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What to change of a waiting job."""

    priority: Annotated[int, Meta(ge=0, le=9, description="0 lowest, 9 highest.")]


class ManyJobRoutes(Controller):
    """The route that submits many jobs; its body may be as large as one with media."""

    path = "/jobs/v1"
    tags = ("Jobs",)
    opt = needs("jobs")

    @post(status_code=202, responses=error_responses(*SUBMIT_ERRORS), summary="Submit many jobs")
    async def create(
        self,
        request: StrictRequest,
        data: Annotated[ManyJobs, Body(examples=EXAMPLES)],
        submit_endpoint: NamedDependency[SubmitEndpoint],
        idempotency_key: IdempotencyKeyHeader = None,
    ) -> Response[AcceptedJobs]:
        """Accept up to 100 jobs of any modality, all or none; a refusal names the job at fault: `$.jobs[3].prompt`.

        One Idempotency-Key is that of all. Files are uploaded before; `data:` URLs are refused.
        """
        submitted = await submit_endpoint.submit_together(
            request, data.params(), idempotency_key=idempotency_key, place=_place
        )
        answer = AcceptedJobs([accepted(each.job, submit_endpoint.settings) for each in submitted])
        headers = {"Idempotency-Replayed": "true"} if submitted[0].repeated else {}
        return Response(answer, status_code=202, headers=headers)


class JobControlRoutes(Controller):
    """Routes that change a waiting job, do a failed one again, and pause and resume the tenant's queue."""

    path = "/jobs/v1"
    tags = ("Jobs",)
    opt = needs("jobs")

    @patch(
        "/{job_id:str}",
        responses=error_responses(*BODY_ERRORS, MalformedId, UnknownJob, JobNotWaiting),
        summary="Change a waiting job",
    )
    async def change(
        self,
        job_id: FromPath[str],
        data: JSONBody[JobChange],
        caller: NamedDependency[Caller],
        job_control: NamedDependency[JobControl],
        watcher: NamedDependency[JobWatcher],
    ) -> StatusAnswer:
        """Change the priority of a job that waits, and return it as it is now."""
        await job_control.change_priority(caller, job_id, data.priority)
        return watcher.answer(await watcher.read(FollowedJob(job_id, caller.key_id)))

    @post(
        "/{job_id:str}/redrive",
        status_code=202,
        responses=error_responses(
            *(MalformedId, UnknownJob, JobNotFailed, PromptForgotten, InputsForgotten),
            *(BudgetExhausted, TooManyJobs),
        ),
        summary="Do a failed job again",
    )
    async def redrive(
        self,
        job_id: FromPath[str],
        caller: NamedDependency[Caller],
        redrives: NamedDependency[Redrives],
        settings: NamedDependency[Settings],
    ) -> Response[Accepted]:
        """Do a failed job again as a new one, with its fields, its seed, its price and its inputs; your key pays.

        The failed job names the new one in `redriven_as`, and that names it in `redrive_of`. A job is done again once:
        a repeated request is answered with the same new job.
        """
        submitted = await redrives.submit(caller, job_id, job_id=new_id("job"))
        headers = {"Idempotency-Replayed": "true"} if submitted.repeated else {}
        return Response(accepted(submitted.job, settings), status_code=202, headers=headers)

    @post("/pause", status_code=200, responses=error_responses(), summary="Pause your queue")
    async def pause(self, caller: NamedDependency[Caller], job_control: NamedDependency[JobControl]) -> QueueState:
        """Start none of your tenant's jobs until `resume`; those that run go on, and submits are accepted."""
        return QueueState(await job_control.pause(caller))

    @post("/resume", status_code=200, responses=error_responses(), summary="Resume your queue")
    async def resume(self, caller: NamedDependency[Caller], job_control: NamedDependency[JobControl]) -> QueueState:
        """Start jobs of your tenant again."""
        await job_control.resume(caller)
        return QueueState(None)
