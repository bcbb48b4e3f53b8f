"""Submitting a chain: all of its jobs in one transaction, of which those that take an output of another one wait."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from api.follow.job_lookup import stored_keys
from api.follow.notifier import Notifier
from api.http.auth import Caller
from api.http.database import Database
from api.submit.groups import Place, at, check_together
from api.submit.helper_models import beside_helpers
from api.submit.idempotency import claim_key, find_repeated
from api.submit.media_intake import MediaIntake
from api.submit.model_choice import choose_model, modality_of
from api.submit.service import Submission, accepted, facts_of, refusals, with_input_rules
from api.submit.validation import IdempotencyKey, check_url
from core.errors.fields import InvalidRequest
from core.errors.inputs import UnknownInput
from core.ids import new_id
from core.settings import Settings
from jobs.chains.chain import ChainStep, StepOutput, StepWait
from jobs.job import Job, job_from_row
from jobs.media import OUTPUT
from jobs.params.media import FilmFrame, MediaKind, Medium, media_of, with_sources
from jobs.params.registry import AnyParams
from jobs.params.requests.origin import CHAIN, NATIVE_ORIGIN, Origin
from jobs.statements.chains.chains import add_chain, add_steps
from jobs.statements.queue.submit import InputSource, NewJob, Offer, add_inputs, new_job, submit
from pipelines.catalog.loader import Catalog
from pipelines.catalog.spec import ModelSpec

STEP = re.compile(r"step:([a-z0-9][a-z0-9_-]{0,39})(?:/([0-9]|last))?")
"""The source of a media field that is an output of an earlier step, by its name; the first one without a number.
`step:film/last` is the picture that the film of that step ends with."""
MAKES: Mapping[str, MediaKind] = {
    "image": "image",
    "remove-background": "image",
    "branding": "image",
    "upscale": "image",
    "video": "video",
    "join": "video",
    "avatar": "video",
    "interpolate": "video",
    "speech": "audio",
    "sound": "audio",
    "music": "audio",
}
"""What the outputs of a modality can be to a field of another one; of a film in `input_video` they are films."""


class NewStep(msgspec.Struct, frozen=True):
    """A step of a chain: its name, and its parameters, whose media may name earlier steps."""

    name: str
    params: AnyParams


class NewChain(msgspec.Struct, frozen=True, kw_only=True):
    """A chain to be made; `place` says where in the body a step is."""

    steps: Sequence[NewStep]
    place: Place
    callback_url: str | None = None
    origin: Origin = NATIVE_ORIGIN


class SubmittedChain(msgspec.Struct, frozen=True):
    """The id of a chain; `repeated` when an earlier request with the same Idempotency-Key made it."""

    chain_id: str
    repeated: bool


class ChainSubmissions:
    """The service that turns the steps of a chain into jobs: all or none of them."""

    def __init__(
        self, database: Database, catalog: Catalog, notifier: Notifier, intake: MediaIntake, settings: Settings
    ) -> None:
        self._database = database
        self._catalog = catalog
        self._notifier = notifier
        self._intake = intake
        self._settings = settings

    async def submit(
        self, caller: Caller, asked: NewChain, *, key: IdempotencyKey | None = None, traceparent: str | None = None
    ) -> SubmittedChain:
        """Return the chain. Budget and cap are asked of all of its jobs, and their prices are reserved.

        Its media may name stored media, URLs and outputs of earlier steps, and no `data:` URLs. Raises what
        `Submissions.submit` raises, with the field of the step at fault.
        """
        earlier = await self._database.transaction(lambda c: find_repeated(c, caller.tenant, key))
        if earlier is not None and earlier.origin.chain is not None:
            return SubmittedChain(earlier.origin.chain, repeated=True)
        if asked.callback_url is not None:
            check_url(asked.callback_url, "$.callback_url", self._settings)
        chain_id, ids = new_id(CHAIN), [new_id("job") for _ in asked.steps]
        steps = [
            Submission(
                job_id=job_id,
                caller=caller,
                params=step.params,
                idempotency_key=key,
                traceparent=traceparent,
                origin=Origin(chain=chain_id),
            )
            for job_id, step in zip(ids, asked.steps, strict=True)
        ]
        outputs = outputs_of(asked)
        named = [
            msgspec.structs.replace(step, params=with_outputs(step.params, made, ids))
            for step, made in zip(steps, outputs, strict=True)
        ]
        checked = [
            await check_together(self._database, self._settings, step, asked.place(number))
            for number, step in enumerate(named)
        ]
        sources = await self._sources(checked, outputs, asked.place)

        async def work(connection: AsyncConnection) -> tuple[str, list[Job]]:
            repeated = await claim_key(connection, caller.tenant, key, ids[0])
            if repeated is not None and repeated.origin.chain is not None:
                return repeated.origin.chain, []
            return chain_id, await self._insert(connection, chain_id, asked, checked, outputs, sources)

        with refusals():
            found, jobs = await self._database.transaction(work)
        for job in jobs:
            accepted(job, self._notifier)
        return SubmittedChain(found, repeated=not jobs)

    async def _sources(
        self, steps: Sequence[Submission], outputs: Sequence[Sequence[StepOutput]], place: Place
    ) -> list[list[InputSource]]:
        """Return the sources of what each step takes that no step makes."""
        tenant = steps[0].caller.tenant
        named = [
            [medium for medium in media_of(step.params) if medium.name not in {one.name for one in made}]
            for step, made in zip(steps, outputs, strict=True)
        ]
        every = [medium for media in named for medium in media]
        stored = await self._database.transaction(lambda c: stored_keys(c, tenant, every)) if every else {}
        found = []
        for number, media in enumerate(named):
            with at(place(number)):
                found.append(await self._intake.sources_of(media, stored))
        return found

    async def _insert(
        self,
        connection: AsyncConnection,
        chain_id: str,
        asked: NewChain,
        submissions: Sequence[Submission],
        outputs: Sequence[Sequence[StepOutput]],
        sources: Sequence[Sequence[InputSource]],
    ) -> list[Job]:
        """Insert the jobs in one statement, so that budget and cap are asked of all of them; then chain and steps."""
        added: list[NewJob] = []
        steps: list[ChainStep] = []
        ready: dict[str, list[InputSource]] = {}
        seconds = 0.0
        for number, each in enumerate(submissions):
            with at(asked.place(number)):
                spec = await choose_model(
                    connection, self._catalog, each.params, asked.origin.dialect, each.caller.tenant
                )
                job = await beside_helpers(connection, self._catalog, self._new_job(each, spec))
            given = with_input_rules(sources[number], spec)
            seconds += job.deadline
            wait = None
            if outputs[number]:
                wait = StepWait(
                    outputs=_with_rules(outputs[number], spec),
                    sources=tuple(given),
                    deadline=job.deadline,
                    start=job.start,
                )
                job = msgspec.structs.replace(job, deadline=seconds, start=None)
            elif given:
                ready[each.job_id] = given
            added.append(job)
            steps.append(
                ChainStep(chain=chain_id, number=number, name=asked.steps[number].name, job_id=each.job_id, wait=wait)
            )
        rows = (await connection.execute(submit(*added))).all()
        tenant = submissions[0].caller.tenant
        for job_id, found in ready.items():
            await connection.execute(add_inputs(job_id, tenant, found))
        chain = add_chain(chain_id, tenant, callback_url=asked.callback_url, origin=asked.origin)
        await connection.execute(chain)
        await connection.execute(add_steps(steps))
        return sorted((job_from_row(row) for row in rows), key=lambda job: job.seq)

    def _new_job(self, submission: Submission, spec: ModelSpec) -> NewJob:
        params: AnyParams = submission.params
        spill_seconds = params.prefer_seconds if params.pin == "prefer" else None
        facts: dict[str, Any] = facts_of(submission, params, self._settings)
        return new_job(offers=[Offer(spec.id, spec.price_of(params))], spill_seconds=spill_seconds, **facts)


def outputs_of(asked: NewChain) -> list[tuple[StepOutput, ...]]:
    """Return which outputs of earlier steps each step takes. Raises `InvalidRequest` and `UnknownInput`."""
    numbers: dict[str, int] = {}
    found = []
    for number, step in enumerate(asked.steps):
        with at(asked.place(number)):
            if step.name in numbers:
                raise InvalidRequest(
                    f"Two steps are called {step.name!r}; give each a name of its own.", field="$.name"
                )
            named = (medium for medium in media_of(step.params) if medium.source.startswith("step:"))
            found.append(tuple(_output_of(medium, asked.steps, numbers) for medium in named))
        numbers[step.name] = number
    return found


def _output_of(medium: Medium, steps: Sequence[NewStep], numbers: Mapping[str, int]) -> StepOutput:
    """Return the output that a field names; `numbers` are those of the steps before."""
    match = STEP.fullmatch(medium.source)
    if match is None or match[1] not in numbers:
        raise UnknownInput(
            f"{medium.source[:60]!r} names no step before this one; send step: and the name of one, and for another "
            "output than its first one / and the number, or /last for the last frame of its film.",
            field=medium.field,
        )
    earlier = numbers[match[1]]
    frame: FilmFrame | None = "last" if match[2] == "last" else medium.frame
    params, output = steps[earlier].params, 0 if frame == "last" else int(match[2] or 0)
    is_film = getattr(params, "input_video", None) is not None
    made: MediaKind | None = "video" if is_film else MAKES.get(modality_of(params))
    if frame == "last" and (made != "video" or medium.file_kind != "image"):
        raise InvalidRequest(
            "`/last` is the last frame of a film, for a field that takes a picture.", field=medium.field
        )
    takes = ("audio", "video") if medium.file_kind == "recording" else (medium.file_kind,)
    if frame != "last" and made not in takes:
        what = "nothing that another step takes" if made is None else f"{made} files"
        raise InvalidRequest(
            f"Step {match[1]!r} makes {what}, and this field takes {medium.file_kind} files.", field=medium.field
        )
    count = getattr(params, "num_images", None)
    if count is not None and output >= count:
        raise UnknownInput(f"Step {match[1]!r} makes {count} outputs, counted from 0.", field=medium.field)
    return StepOutput(InputSource(name=medium.name, kind=medium.kind, frame=frame), earlier, output)


def with_outputs(params: AnyParams, outputs: Sequence[StepOutput], ids: Sequence[str]) -> AnyParams:
    """Return the parameters of a step whose media name outputs of jobs where they named those of steps."""
    return with_sources(params, {one.name: f"{OUTPUT}{ids[one.step]}/{one.output}" for one in outputs})


def _with_rules(outputs: Sequence[StepOutput], spec: ModelSpec) -> tuple[StepOutput, ...]:
    ruled = with_input_rules([one.source for one in outputs], spec)
    return tuple(StepOutput(source, one.step, one.output) for one, source in zip(outputs, ruled, strict=True))
