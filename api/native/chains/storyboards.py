"""/storyboards/v1: shots that become one film, as a chain."""

from typing import Annotated

from litestar import Controller, Response, post
from litestar.di import NamedDependency
from litestar.openapi.spec import Example
from litestar.params import Body
from opentelemetry.trace import SpanKind

from api.chains.estimates import ChainEstimates
from api.chains.operations import ChainOperations
from api.chains.storyboards import StoryboardSubmissions
from api.http.auth import Caller, needs
from api.http.strict_json import StrictRequest
from api.native.chains.chains import shown
from api.openapi.documents import error_responses
from api.submit.endpoint import IdempotencyKeyHeader
from api.submit.errors import SUBMIT_ERRORS
from api.submit.validation import IdempotencyKey
from core.settings import Settings
from core.tracing import span, traceparent_of
from jobs.chains.answer import ChainAnswer
from jobs.params.requests.storyboard import StoryboardParams
from jobs.wire.estimates.estimate import ChainEstimate

EXAMPLES = [
    Example(
        summary="Two shots, the second of which goes on where the first ends",
        value={
            "prompt": "a boat on a lake,",
            "shots": [
                {"prompt": "slow zoom in", "duration_seconds": 3},
                {"prompt": "pan to the right", "duration_seconds": 2, "continues": True},
            ],
        },
    ),
    Example(
        summary="A product that all shots show",
        value={
            "shots": [{"prompt": "@mug on a table"}, {"prompt": "a hand lifts @mug"}],
            "input_image": "https://shop.example/table.jpg",
            "elements": [
                {
                    "name": "mug",
                    "description": "a blue mug with a white rim",
                    "element_input_urls": ["https://shop.example/mug-1.jpg", "https://shop.example/mug-2.jpg"],
                }
            ],
            "callback_url": "https://shop.example/hooks",
        },
    ),
]
Storyboard = Annotated[StoryboardParams, Body(examples=EXAMPLES)]


class StoryboardRoutes(Controller):
    """Routes that make and estimate storyboards; the chain that one becomes has the routes of chains."""

    path = "/storyboards/v1"
    tags = ("Chains",)

    @post(status_code=202, opt=needs("jobs"), responses=error_responses(*SUBMIT_ERRORS), summary="Submit a storyboard")
    async def create(
        self,
        request: StrictRequest,
        data: Storyboard,
        caller: NamedDependency[Caller],
        storyboard_submissions: NamedDependency[StoryboardSubmissions],
        chain_operations: NamedDependency[ChainOperations],
        settings: NamedDependency[Settings],
        idempotency_key: IdempotencyKeyHeader = None,
    ) -> Response[ChainAnswer]:
        """Accept up to twelve shots, and answer with the chain that makes them one film: all of it or nothing.

        Each shot is a first frame and a film that begins with it, and the films are joined. A refusal names the shot:
        `$.shots[1].duration_seconds`. `GET /chains/v1/{chain_id}` shows how far it is.
        """
        key = None if idempotency_key is None else IdempotencyKey(idempotency_key, await request.body_digest())
        trace = request.headers.get("traceparent")
        with span("POST /storyboards/v1", parent=trace, kind=SpanKind.SERVER, root=True) as opened:
            made = await storyboard_submissions.submit(caller, data, key=key, traceparent=traceparent_of(opened))
        answer = shown(await chain_operations.find(caller, made.chain_id), settings)
        headers = {"Idempotency-Replayed": "true"} if made.repeated else {}
        return Response(answer, status_code=202, headers=headers)

    @post(
        "/estimate",
        status_code=200,
        opt=needs("jobs", "read"),
        responses=error_responses(*SUBMIT_ERRORS),
        summary="Estimate a storyboard",
    )
    async def estimate(
        self,
        data: Storyboard,
        caller: NamedDependency[Caller],
        storyboard_submissions: NamedDependency[StoryboardSubmissions],
        chain_estimates: NamedDependency[ChainEstimates],
    ) -> ChainEstimate:
        """Return how long a storyboard would take and what it would cost, with each of its jobs; none is submitted."""
        return await chain_estimates.estimate(caller, await storyboard_submissions.chain_of(data))
