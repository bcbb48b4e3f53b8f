"""Workflows: start, list, show, cancel."""

from collections.abc import Sequence

from litestar import Controller, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody

from api.chains.operations import ChainOperations, ChainView
from api.chains.submissions import ChainSubmissions, NewChain
from api.dialects.videogen.ids import to_native
from api.dialects.videogen.paging import Limit
from api.dialects.videogen.routes import BASE
from api.dialects.videogen.workflows.schema import (
    RUN,
    PromptToVideoClip,
    WorkflowAccepted,
    WorkflowCancelled,
    WorkflowPage,
    WorkflowRun,
    accepted_run,
    run_id,
    run_of,
)
from api.http.auth import Caller, needs
from api.http.dependencies import Router, provide
from api.http.pagination import pack, unpack
from api.http.query_parameters import IGNORES_QUERY
from api.http.strict_json import StrictRequest
from api.operations.media_library import MediaLibrary
from api.submit.endpoint import IdempotencyKeyHeader
from api.submit.groups import same_place
from api.submit.validation import IdempotencyKey
from core.errors.http import NotOffered, UnknownRoute
from core.settings import Settings
from jobs.params.requests.origin import Origin
from jobs.wire.dialects.videogen import NAME, NO_FILES, Files

UNBUILT = ("script-to-video", "voiceover-to-video", "slideshow-to-video", "video-to-video")
"""Workflows that take what this service does not have: its editor, or a model that changes films."""


class WorkflowRoutes(Controller):
    """Routes of workflows and their runs."""

    path = "/workflows"
    opt = needs("jobs")

    @post("/prompt-to-video-clip", status_code=202)
    async def prompt_to_video_clip(
        self,
        request: StrictRequest,
        data: JSONBody[PromptToVideoClip],
        chain_submissions: NamedDependency[ChainSubmissions],
        settings: NamedDependency[Settings],
        idempotency_key: IdempotencyKeyHeader = None,
    ) -> WorkflowAccepted:
        """Make a picture from a prompt, and a film that begins with it."""
        key = None if idempotency_key is None else IdempotencyKey(idempotency_key, await request.body_digest())
        asked = NewChain(
            steps=data.new_steps(),
            place=same_place,
            origin=Origin(dialect=NAME, tool="PROMPT_TO_VIDEO_CLIP"),
        )
        made = await chain_submissions.submit(request.user, asked, key=key)
        return accepted_run(made.chain_id, settings)

    @get("/runs")
    async def index(
        self,
        caller: NamedDependency[Caller],
        chain_operations: NamedDependency[ChainOperations],
        media_library: NamedDependency[MediaLibrary],
        settings: NamedDependency[Settings],
        limit: Limit = 50,
        cursor: FromQuery[str | None] = None,
    ) -> WorkflowPage:
        """Return your runs."""
        before = unpack(cursor) if cursor else None
        views = await chain_operations.page(caller, limit=limit + 1, dialect=NAME, before=before)
        page, has_more = views[:limit], len(views) > limit
        files = await _files_of(page, caller, media_library)
        shown = [run_of(view, settings, files) for view in page]
        return WorkflowPage(shown, has_more, pack(page[-1].chain) if has_more else None)

    @get("/runs/{run:str}")
    async def show(
        self,
        run: FromPath[str],
        caller: NamedDependency[Caller],
        chain_operations: NamedDependency[ChainOperations],
        media_library: NamedDependency[MediaLibrary],
        settings: NamedDependency[Settings],
    ) -> WorkflowRun:
        """Return a run as it is now."""
        view = await chain_operations.find(caller, to_native(RUN, run))
        return run_of(view, settings, await _files_of([view], caller, media_library))

    @post("/runs/{run:str}/cancel", status_code=202)
    async def cancel(
        self, run: FromPath[str], caller: NamedDependency[Caller], chain_operations: NamedDependency[ChainOperations]
    ) -> WorkflowCancelled:
        """Cancel what has not ended of a run."""
        chain_id = to_native(RUN, run)
        await chain_operations.cancel(caller, chain_id)
        return WorkflowCancelled(run_id(chain_id))

    @post("/{workflow:str}", status_code=202, include_in_schema=False)
    async def unbuilt(self, workflow: FromPath[str]) -> WorkflowAccepted:
        """Refuse a workflow that this service does not have, and an unknown one."""
        if workflow in UNBUILT:
            raise NotOffered("This workflow is not offered by this service; run its tools one after the other.")
        raise UnknownRoute(f"No workflow is called {workflow[:80]!r}; look at the name in the path.")


async def _files_of(views: list[ChainView], caller: Caller, media_library: MediaLibrary) -> Files:
    """Return the items that the films of completed chains are."""
    made = [view.steps[-1].job_id for view in views if view.chain.status == "completed"]
    return await media_library.find_outputs(caller, made) if made else NO_FILES


def workflow_routers(chain_submissions: ChainSubmissions, chain_operations: ChainOperations) -> Sequence[Router]:
    """Return the routers, below the base path of the dialect and on the plain path."""
    return [
        Router(
            path,
            route_handlers=[WorkflowRoutes],
            dependencies=provide(chain_submissions=chain_submissions, chain_operations=chain_operations),
            opt=IGNORES_QUERY,
            include_in_schema=path.startswith(BASE),
        )
        for path in (f"{BASE}/v1", "/v1")
    ]
