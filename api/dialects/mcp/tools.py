"""What the tools do: each call goes through the same services as the native routes."""

import time
from collections.abc import Awaitable, Callable, Sequence
from typing import get_args

import msgspec
from mcp_types import ContentBlock

from api.dialects.mcp.arguments import read_arguments
from api.dialects.mcp.content import output_blocks
from api.dialects.mcp.schema import (
    GenerateMedia,
    GenerationStatus,
    GenerationStatusOf,
    GenerationToCancel,
    GenerationToEstimate,
    ModelChoices,
    ModelsToList,
)
from api.dialects.mcp.storyboards import ShownChain, StoryboardTools, is_chain, storyboard_of
from api.dialects.mcp.translate import (
    MODALITY_OF,
    NAME,
    counts_of,
    failure_sentence,
    generation_estimate,
    generation_status,
    model_choice,
    planned_call,
    sources_of,
    started,
)
from api.estimates.estimator import Estimator
from api.follow.job_lookup import find_job
from api.http.auth import Caller
from api.http.database import Database
from api.http.strict_json import StrictRequest
from api.operations.job_control import JobControl
from api.submit.endpoint import SubmitEndpoint
from api.submit.helper_models import models_beside
from core.errors.fields import NoModelForTask
from core.storage.store import Store
from jobs.job import JobStatus
from jobs.params.registry import Modality
from jobs.params.requests.origin import Origin
from jobs.statements.queue.look import JobView
from jobs.statements.queue.submit import served_models
from jobs.statements.servers import open_to
from pipelines.catalog.aliases import Aliases
from pipelines.catalog.loader import Catalog
from pipelines.catalog.spec import ModelSpec

LOOK_SECONDS = 2.0
"""Between two notes of the progress of a generation that is waited for."""

ANY_SOURCE = "https://example.com/source"
"""Stands in an estimate for a source that was not named."""

Report = Callable[[float, str], Awaitable[None]]
"""What is called with the progress of a generation, 0 to 1, and a word about it."""


class ToolAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The answer of a tool: its body, what is shown beside it, and for a generation that failed the sentence."""

    body: msgspec.Struct
    blocks: Sequence[ContentBlock] = ()
    failure: str | None = None


class MediaTools:
    """The tools. Every method raises the errors of the native routes, in the words of those."""

    def __init__(
        self,
        endpoint: SubmitEndpoint,
        estimator: Estimator,
        job_control: JobControl,
        database: Database,
        catalog: Catalog,
        aliases: Aliases,
        store: Store,
        storyboards: StoryboardTools,
    ) -> None:
        self._endpoint = endpoint
        self._watcher = endpoint.watcher
        self._settings = endpoint.settings
        self._estimator = estimator
        self._job_control = job_control
        self._database = database
        self._catalog = catalog
        self._aliases = aliases
        self._store = store
        self._storyboards = storyboards

    async def generate_media(self, request: StrictRequest, asked: GenerateMedia, _: Report) -> ToolAnswer:
        """Submit a job, and answer at once with its id."""
        spec, asked = await self._prepared(request.user, asked)
        shots = storyboard_of(spec, asked)
        if shots is not None:
            return ToolAnswer(body=await self._storyboards.start(request.user, asked, shots))
        planned = planned_call(spec, asked)
        origin = Origin(dialect=NAME, model=asked.model, warnings=planned.warnings)
        submitted = await self._endpoint.submit(request, planned.params, origin=origin)
        (view,) = await self._watcher.views([submitted.job], request.user.key_id)
        seconds = self._watcher.answer(view).estimated_seconds
        return ToolAnswer(body=started(view.job, planned.generation_type, seconds, self._settings))

    async def get_generation_status(
        self, request: StrictRequest, asked: GenerationStatusOf, report: Report
    ) -> ToolAnswer:
        """Answer with a generation as it is, or as it is once it has ended or `wait` is over."""
        caller = request.user
        if is_chain(asked.generation_id):
            return await self._shown_chain(await self._storyboards.show(caller, asked.generation_id, asked.wait))
        job = await find_job(self._database, caller, asked.generation_id)
        view = await self._wait(JobView(job), caller, asked.wait, report)
        return await self._shown(view)

    async def cancel_generation(self, request: StrictRequest, asked: GenerationToCancel, _: Report) -> ToolAnswer:
        """Cancel a generation, and answer with what it is now; one that has ended stays as it is."""
        caller = request.user
        if is_chain(asked.generation_id):
            return await self._shown_chain(await self._storyboards.cancel(caller, asked.generation_id))
        cancelled = await self._job_control.cancel(caller, asked.generation_id)
        job = cancelled or await find_job(self._database, caller, asked.generation_id)
        return await self._shown(JobView(job))

    async def get_generation_estimate(
        self, request: StrictRequest, asked: GenerationToEstimate, _: Report
    ) -> ToolAnswer:
        """Answer with how long a generation would take; nothing is started."""
        said = {
            **asked.parameters,
            "prompt": asked.prompt or "-",
            "model": asked.model,
            "generation_type": asked.generation_type,
            "negative_prompt": asked.negative_prompt,
        }
        call: GenerateMedia = read_arguments(GenerateMedia, said)
        spec, call = await self._prepared(request.user, call, fills_sources=True)
        shots = storyboard_of(spec, call)
        if shots is not None:
            return ToolAnswer(body=await self._storyboards.estimate(request.user, call, shots))
        planned = planned_call(spec, call)
        estimate = await self._estimator.estimate(request.user, planned.params, dialect=NAME)
        return ToolAnswer(body=generation_estimate(estimate, planned.generation_type))

    async def get_models(self, request: StrictRequest, asked: ModelsToList, _: Report) -> ToolAnswer:
        """Answer with the models that these tools offer, those that are served first."""
        served = await self._served()
        defaults: dict[Modality, str] = {}
        for spec in self._catalog.models:
            if spec.id in served:
                defaults.setdefault(spec.modality, spec.id)
        servers = await self._database.rows(open_to(request.user.tenant))
        choices = [
            model_choice(
                spec,
                available=spec.id in served,
                default=spec.id in defaults.values(),
                has_sound="sound" in spec.capabilities
                or (spec.has_sound_apart and bool(models_beside(spec, servers, self._catalog, "sound"))),
                settings=self._settings,
            )
            for spec in self._catalog.models
            if (counts := counts_of(spec)) and asked.generation_type in (None, *counts)
        ]
        return ToolAnswer(body=ModelChoices(sorted(choices, key=lambda choice: not choice.available)))

    async def _prepared(
        self, caller: Caller, asked: GenerateMedia, *, fills_sources: bool = False
    ) -> tuple[ModelSpec, GenerateMedia]:
        """Return the model of a call, and the call with the sources that jobs know.

        For an estimate, which reads none, sources that are missing are made up. Raises `UnknownModel`, `UnknownChain`,
        and for the name of another service `NoModelForTask`.
        """
        spec, sources = await self._model(asked), sources_of(asked)
        if fills_sources and not sources:
            sources = [ANY_SOURCE] * _least(spec, asked)
        sources = [await self._storyboards.source(caller, source) for source in sources]
        shots = [
            msgspec.structs.replace(shot, image=await self._storyboards.source(caller, shot.image))
            if shot.image
            else shot
            for shot in asked.shots
        ]
        return spec, msgspec.structs.replace(asked, source_media_urls=sources, shots=shots)

    async def _model(self, asked: GenerateMedia) -> ModelSpec:
        """Return the model that the name of a call means."""
        for spec in self._catalog.models:
            if spec.id == asked.model:
                return spec
        modality = MODALITY_OF[asked.generation_type] if asked.generation_type else self._modality_of(asked.model)
        meant = self._aliases.model(self._catalog, modality, asked.model, NAME)
        if meant is None:
            return await self._default(modality, asked)
        return self._catalog.resolve(meant, modality, NAME)

    def _modality_of(self, name: str) -> Modality:
        """Return what the models of other services with this name make; images where none has it."""
        known: list[Modality] = [one for one in get_args(Modality) if name in self._aliases.models.get(one, {})]
        return known[0] if known else "image"

    async def _default(self, modality: Modality, asked: GenerateMedia) -> ModelSpec:
        """Return the first model that does what is asked, one that is served before all others."""
        count, name = len(sources_of(asked)), asked.generation_type
        able = [
            spec
            for spec in self._catalog.of(modality)
            if any(each.min <= count <= each.max and name in (None, type_) for type_, each in counts_of(spec).items())
        ]
        if not able:
            raise NoModelForTask
        served = await self._served()
        return next((spec for spec in able if spec.id in served), able[0])

    async def _served(self) -> set[str]:
        return {row[0] for row in await self._database.rows(served_models())}

    async def _wait(self, view: JobView, caller: Caller, seconds: float, report: Report) -> JobView:
        """Return the job once it has ended, or as it is after `seconds`; the job goes on when the caller leaves."""
        until = time.monotonic() + seconds
        while True:
            left = max(0.0, until - time.monotonic())
            view = await self._watcher.wait(view, caller.key_id, min(LOOK_SECONDS, left))
            if view.job.status.terminal or time.monotonic() >= until or self._watcher.event_hub.closing.is_set():
                return view
            await report(view.job.progress, view.job.stage or view.job.status.value)

    async def _shown(self, view: JobView) -> ToolAnswer:
        body: GenerationStatus = generation_status(view.job, self._watcher.answer(view))
        failure = failure_sentence(body) if view.job.status is JobStatus.FAILED else None
        blocks = await output_blocks(view.job.artifacts, body.outputs, self._store)
        return ToolAnswer(body=body, blocks=blocks, failure=failure)

    async def _shown_chain(self, shown: ShownChain) -> ToolAnswer:
        body = shown.status
        failure = failure_sentence(body) if body.status == "failed" else None
        blocks = await output_blocks(shown.artifacts, body.outputs, self._store)
        return ToolAnswer(body=body, blocks=blocks, failure=failure)


def _least(spec: ModelSpec, asked: GenerateMedia) -> int:
    """Return how many sources a call takes at least; of a storyboard one with elements, else none."""
    if spec.modality == "video" and (asked.shots or asked.named_elements):
        return bool(asked.named_elements)
    counts = counts_of(spec)
    name = asked.generation_type or next(iter(counts), None)
    return counts[name].min if name in counts else 0
