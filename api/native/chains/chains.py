"""/chains/v1: jobs of which one's output is another's input, as one."""

from typing import Annotated

from litestar import Controller, Response, get, post
from litestar.di import NamedDependency
from litestar.openapi.spec import Example
from litestar.params import Body, FromPath, FromQuery, QueryParameter
from opentelemetry.trace import SpanKind

from api.chains.operations import ChainOperations, ChainView
from api.chains.submissions import ChainSubmissions, NewChain
from api.http.auth import Caller, needs
from api.http.pagination import pack, unpack
from api.http.strict_json import StrictRequest
from api.native.chains.schema import ChainRequest, place_of
from api.openapi.documents import error_responses
from api.submit.endpoint import IdempotencyKeyHeader
from api.submit.errors import SUBMIT_ERRORS
from api.submit.validation import IdempotencyKey
from core.errors.fields import InvalidRequest
from core.errors.unknown import MalformedId, UnknownChain
from core.settings import Settings
from core.tracing import span, traceparent_of
from jobs.chains.answer import ChainAnswer, ChainPage, chain_answer

EXAMPLES = [
    Example(
        summary="A picture, its cut-out, and a mesh of that",
        value={
            "steps": [
                {"name": "picture", "modality": "image", "prompt": "a red chair on white"},
                {"name": "cutout", "modality": "remove-background", "input_image": "step:picture"},
                {"name": "mesh", "modality": "3d", "input_image": "step:cutout"},
            ]
        },
    ),
    Example(
        summary="A picture and a film that begins with it",
        value={
            "steps": [
                {"name": "still", "modality": "image", "prompt": "a boat on a lake"},
                {"modality": "video", "prompt": "the boat drifts by", "input_image": "step:still"},
            ],
            "callback_url": "https://shop.example/hooks",
        },
    ),
]
Limit = Annotated[int, QueryParameter(ge=1, le=100, description="Chains on a page.")]


class ChainRoutes(Controller):
    """Routes that make, list, show and cancel chains."""

    path = "/chains/v1"
    tags = ("Chains",)
    opt = needs("jobs")

    @post(status_code=202, responses=error_responses(*SUBMIT_ERRORS), summary="Submit a chain")
    async def create(
        self,
        request: StrictRequest,
        data: Annotated[ChainRequest, Body(examples=EXAMPLES)],
        caller: NamedDependency[Caller],
        chain_submissions: NamedDependency[ChainSubmissions],
        chain_operations: NamedDependency[ChainOperations],
        settings: NamedDependency[Settings],
        idempotency_key: IdempotencyKeyHeader = None,
    ) -> Response[ChainAnswer]:
        """Accept up to eight steps, each an ordinary job, all or none; a refusal names the step: `$.steps[1].prompt`.

        A step begins once the outputs that it takes are there. The price of all steps is reserved now. The first step
        that fails ends the chain, and the others are cancelled. Files are uploaded before; `data:` URLs are refused.
        """
        key = None if idempotency_key is None else IdempotencyKey(idempotency_key, await request.body_digest())
        asked = NewChain(steps=data.new_steps(), place=place_of, callback_url=data.callback_url)
        trace = request.headers.get("traceparent")
        with span("POST /chains/v1", parent=trace, kind=SpanKind.SERVER, root=True) as opened:
            made = await chain_submissions.submit(caller, asked, key=key, traceparent=traceparent_of(opened))
        answer = shown(await chain_operations.find(caller, made.chain_id), settings)
        headers = {"Idempotency-Replayed": "true"} if made.repeated else {}
        return Response(answer, status_code=202, headers=headers)

    @get(responses=error_responses(InvalidRequest), summary="Your chains")
    async def index(
        self,
        caller: NamedDependency[Caller],
        chain_operations: NamedDependency[ChainOperations],
        settings: NamedDependency[Settings],
        limit: Limit = 20,
        cursor: FromQuery[str | None] = None,
    ) -> ChainPage:
        """Return your chains, newest first. Pass `next_cursor` as `cursor` for the next page."""
        before = unpack(cursor) if cursor else None
        views = await chain_operations.page(caller, limit=limit + 1, before=before)
        page = views[:limit]
        next_cursor = pack(page[-1].chain) if len(views) > limit else None
        return ChainPage([shown(view, settings) for view in page], next_cursor)

    @get("/{chain_id:str}", responses=error_responses(MalformedId, UnknownChain), summary="One chain")
    async def show(
        self,
        chain_id: FromPath[str],
        caller: NamedDependency[Caller],
        chain_operations: NamedDependency[ChainOperations],
        settings: NamedDependency[Settings],
    ) -> ChainAnswer:
        """Return the chain as it is now, with the status of each of its jobs."""
        return shown(await chain_operations.find(caller, chain_id), settings)

    @post(
        "/{chain_id:str}/cancel",
        status_code=200,
        responses=error_responses(MalformedId, UnknownChain),
        summary="Cancel a chain",
    )
    async def cancel(
        self,
        chain_id: FromPath[str],
        caller: NamedDependency[Caller],
        chain_operations: NamedDependency[ChainOperations],
        settings: NamedDependency[Settings],
    ) -> ChainAnswer:
        """Cancel what has not ended of the chain, and return it as it is now. May be repeated."""
        await chain_operations.cancel(caller, chain_id)
        return shown(await chain_operations.find(caller, chain_id), settings)


def shown(view: ChainView, settings: Settings) -> ChainAnswer:
    """Return the answer that shows a chain."""
    return chain_answer(view.chain, view.steps, view.jobs, settings)
