"""Storyboards of agents: several shots, or one whose first frame follows elements, as a chain shown as a generation."""

import asyncio
import re
import time
from collections.abc import Iterator, Sequence

import msgspec

from api.chains.estimates import ChainEstimates
from api.chains.operations import ChainOperations
from api.chains.storyboards import StoryboardSubmissions
from api.dialects.mcp.schema import (
    GenerateMedia,
    GenerationEstimate,
    GenerationFailure,
    GenerationStatus,
    ShotOfMedia,
    StartedGeneration,
)
from api.dialects.mcp.translate import NAME, generation_output, in_credits, poll_after, sources_of
from api.http.auth import Caller
from core.errors.fields import InvalidRequest, MissingField, OutOfRange
from core.ids import is_id
from core.settings import Settings
from jobs.chains.answer import ChainAnswer, chain_answer
from jobs.job import Artifact
from jobs.params.requests.origin import CHAIN, Origin
from jobs.params.requests.storyboard import Shot, StoryboardParams
from jobs.wire.estimates.estimate import SecondsRange
from pipelines.catalog.media_request import QUALITIES, parse_seconds, size_for
from pipelines.catalog.spec import ModelSpec

OUTPUT_OF_CHAIN = re.compile(rf"output:({CHAIN}_[0-9a-f]{{32}})/([0-9]{{1,4}})")
LOOK_SECONDS = 1.0
CONFIDENCES = ("none", "low", "medium", "high")


class PlannedShots(msgspec.Struct, frozen=True):
    """A storyboard of a call, and sentences about what is done otherwise."""

    params: StoryboardParams
    warnings: tuple[str, ...] = ()


class ShownChain(msgspec.Struct, frozen=True):
    """A chain as a generation, and the files of its last job."""

    status: GenerationStatus
    artifacts: Sequence[Artifact] = ()


def storyboard_of(spec: ModelSpec, asked: GenerateMedia) -> PlannedShots | None:
    """Return the storyboard of a call: with shots, or with elements of a video; None for any other one.

    Single-shot mode is `multi_shots: false`, or no `shots`: `prompt` and `duration` are then those of the one shot.
    Raises an `InvalidRequest` with the name of an argument.
    """
    if spec.modality != "video":
        return None
    elements, is_single = asked.named_elements, not asked.shots
    if asked.multi_shots and is_single:
        raise MissingField("`multi_shots` needs `shots`; add them, or leave it out.", field="$.shots")
    if asked.multi_shots is False and not is_single:
        raise InvalidRequest(
            "`multi_shots` is false, which is single-shot mode; leave out `shots`, or `multi_shots`.", field="$.shots"
        )
    if is_single and not elements:
        return None
    sources = sources_of(asked)
    if len(sources) > 1:
        sentence = (
            f"A video of shots takes 0 to 1 picture, and `source_media_urls` has {len(sources)}; remove the others."
        )
        raise OutOfRange(sentence, field="$.source_media_urls")
    shots = [ShotOfMedia(prompt=asked.prompt, duration=asked.duration)] if is_single else asked.shots
    size, warnings = size_for(spec, asked.aspect_ratio, asked.resolution)
    params = StoryboardParams(
        model=spec.id,
        prompt=None if is_single else asked.prompt,
        shots=tuple(_shot(shot, number) for number, shot in enumerate(shots)),
        input_image=next(iter(sources), None),
        elements=tuple(elements),
        negative_prompt=asked.negative_prompt or None,
        quality=QUALITIES.get(asked.quality.strip().lower(), "standard"),
        width=size[0],
        height=size[1],
        seed=asked.seed,
    )
    return PlannedShots(params, (*_ignored(spec, asked), *warnings))


def _shot(shot: ShotOfMedia, number: int) -> Shot:
    seconds = None if shot.duration is None else parse_seconds(shot.duration)
    if seconds is not None and not 0.1 <= seconds <= 10:
        raise OutOfRange("`duration` of a shot must be from 0.1 to 10 seconds.", field=f"$.shots[{number}].duration")
    return Shot(prompt=shot.prompt, duration_seconds=seconds, image=shot.image, continues=shot.continues)


def _ignored(spec: ModelSpec, asked: GenerateMedia) -> Iterator[str]:
    if asked.quality.strip().lower() not in QUALITIES:
        yield f"`quality` {asked.quality!r} is not known; the standard one was used"
    if asked.sound:
        yield "a film that is joined of shots has no sound; `sound` was ignored"
    if asked.shots and asked.duration is not None:
        yield "the shots have their own durations; `duration` was ignored"


class StoryboardTools:
    """What the tools do with storyboards. Every method raises the errors of the native routes."""

    def __init__(
        self,
        submissions: StoryboardSubmissions,
        operations: ChainOperations,
        estimates: ChainEstimates,
        settings: Settings,
    ) -> None:
        self._submissions = submissions
        self._operations = operations
        self._estimates = estimates
        self._settings = settings

    async def start(self, caller: Caller, asked: GenerateMedia, planned: PlannedShots) -> StartedGeneration:
        """Submit the chain of a storyboard, and return it as a generation that was started."""
        origin = Origin(dialect=NAME, model=asked.model, warnings=planned.warnings)
        chain = await self._submissions.chain_of(planned.params, origin)
        estimate = await self._estimates.estimate(caller, chain)
        made = await self._submissions.submit(caller, planned.params, origin=origin)
        seconds = None if estimate.total is None else estimate.total.p50_seconds
        return StartedGeneration(
            generation_id=made.chain_id,
            status="queued",
            model=str(planned.params.model),
            generation_type=type_of(planned.params),
            estimated_time_seconds=seconds,
            estimated_cost_credits=estimate.credits,
            poll_after_seconds=poll_after(seconds),
            warnings=estimate.warnings,
        )

    async def estimate(self, caller: Caller, asked: GenerateMedia, planned: PlannedShots) -> GenerationEstimate:
        """Return how long a storyboard would take and what it would cost."""
        origin = Origin(dialect=NAME, model=asked.model, warnings=planned.warnings)
        found = await self._estimates.estimate(caller, await self._submissions.chain_of(planned.params, origin))
        steps = [step.estimate for step in found.steps]
        own = SecondsRange(
            p50_seconds=sum(step.load.p50_seconds + step.run.p50_seconds for step in steps),
            p95_seconds=sum(step.load.p95_seconds + step.run.p95_seconds for step in steps),
        )
        total, waiting = found.total or own, [step.waiting_for for step in steps if step.waiting_for]
        return GenerationEstimate(
            model=str(planned.params.model),
            generation_type=type_of(planned.params),
            estimated_time_seconds=round(total.p50_seconds, 3),
            p95_seconds=round(total.p95_seconds, 3),
            wait_seconds=None if steps[0].wait is None else steps[0].wait.p50_seconds,
            load_seconds=round(sum({step.model: step.load.p50_seconds for step in steps}.values()), 3),
            confidence=min((step.confidence for step in steps), key=CONFIDENCES.index),
            sample_size=min(step.sample_size for step in steps),
            waiting_for=waiting[0].message if waiting else None,
            estimated_cost_credits=found.credits,
        )

    async def show(self, caller: Caller, chain_id: str, seconds: float = 0.0) -> ShownChain:
        """Return a chain as it is, or as it is once it has ended or `seconds` are over."""
        until = time.monotonic() + seconds
        while True:
            view = await self._operations.find(caller, chain_id)
            left = until - time.monotonic()
            if view.chain.ended_at is not None or left <= 0:
                shown = chain_answer(view.chain, view.steps, view.jobs, self._settings)
                last = view.jobs.get(view.steps[-1].job_id)
                model = view.chain.origin.model or (last.model if last else "")
                return ShownChain(chain_status(shown, model, self._settings), last.artifacts if last else ())
            await asyncio.sleep(min(LOOK_SECONDS, left))

    async def cancel(self, caller: Caller, chain_id: str) -> ShownChain:
        """Cancel what has not ended of a chain, and return it as it is now."""
        await self._operations.cancel(caller, chain_id)
        return await self.show(caller, chain_id)

    async def source(self, caller: Caller, source: str) -> str:
        """Return a source that names an output of a chain as that of its last job; any other one as it is."""
        named = OUTPUT_OF_CHAIN.fullmatch(source)
        if named is None:
            return source
        view = await self._operations.find(caller, named[1])
        return f"output:{view.steps[-1].job_id}/{named[2]}"


def is_chain(generation_id: str) -> bool:
    """Return whether the id of a generation is that of a chain."""
    return is_id(CHAIN, generation_id)


def type_of(params: StoryboardParams) -> str:
    """Return what a storyboard does, as a generation type."""
    return "text-to-video" if params.input_image is None else "image-to-video"


def chain_status(shown: ChainAnswer, model: str, settings: Settings) -> GenerationStatus:
    """Return a generation as its chain shows it."""
    has_ended = shown.finished_at is not None
    jobs = [step.job for step in shown.steps if step.job is not None]
    waiting = [job.waiting_for.message for job in jobs if job.waiting_for is not None]
    return GenerationStatus(
        generation_id=shown.chain_id,
        status=shown.status,
        model=model,
        progress=shown.progress,
        waiting_for=waiting[0] if waiting and not has_ended else None,
        estimated_time_seconds=None,
        cost_credits=in_credits(shown.cost_usd, settings),
        poll_after_seconds=None if has_ended else poll_after(None if shown.progress == 0 else 10.0),
        outputs=[generation_output(output) for output in shown.outputs] if shown.status == "completed" else [],
        error=None if shown.error is None else GenerationFailure(shown.error.code, shown.error.message),
        warnings=list(dict.fromkeys([*shown.warnings, *(text for job in jobs for text in job.warnings)])),
    )
