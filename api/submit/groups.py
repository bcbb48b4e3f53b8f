"""Submitting several jobs together: all of them or none, in one transaction, under one Idempotency-Key."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from api.follow.job_lookup import stored_keys
from api.follow.notifier import Notifier
from api.http.database import Database
from api.submit.data_urls import is_data_url
from api.submit.helper_models import beside_helpers
from api.submit.idempotency import claim_key, find_repeated
from api.submit.media_intake import MediaIntake, needs_store
from api.submit.model_choice import choose_model
from api.submit.profiles import with_profile
from api.submit.service import (
    Submission,
    SubmittedJob,
    accepted,
    facts_of,
    refusals,
    with_input_rules,
)
from api.submit.validation import check
from core.errors.base import RequestRefused
from core.errors.fields import InvalidRequest
from core.settings import Settings
from jobs.job import Job, job_from_row
from jobs.params.media import PICTURE, PICTURE_NAMES, media_of
from jobs.params.registry import AnyParams
from jobs.statements.groups import find_grouped
from jobs.statements.queue.submit import InputSource, Offer, add_inputs, new_job, submit
from pipelines.catalog.loader import Catalog

Place = Callable[[int], str]
"""The path in the body of the parameters with this number, from 0."""


def same_place(_: int) -> str:
    """Return the place of parameters that differ only in what no caller writes."""
    return "$"


class GroupSubmissions:
    """The service that turns several submissions of one caller into jobs. They share the `group` of their origin."""

    def __init__(
        self, database: Database, catalog: Catalog, notifier: Notifier, intake: MediaIntake, settings: Settings
    ) -> None:
        self._database = database
        self._catalog = catalog
        self._notifier = notifier
        self._intake = intake
        self._settings = settings

    async def submit(self, submissions: Sequence[Submission], place: Place = same_place) -> list[SubmittedJob]:
        """Return the jobs, in the order of the submissions: all or none of them.

        The first one's Idempotency-Key is that of all; its repeat returns the jobs that it first made. They may name
        stored media and URLs, and no `data:` URLs. Raises what `Submissions.submit` raises, with the field of the
        submission at fault.
        """
        checked = [
            await check_together(self._database, self._settings, each, place(number))
            for number, each in enumerate(submissions)
        ]
        first = checked[0]
        if any(needs_store(each.params) for each in checked):
            earlier = await self._database.transaction(
                lambda connection: find_repeated(connection, first.caller.tenant, first.idempotency_key)
            )
            if earlier is not None:
                return await self._group_of(earlier)
        sources = await self._sources(checked, place)

        async def work(connection: AsyncConnection) -> tuple[Job | None, list[Job]]:
            earlier = await claim_key(connection, first.caller.tenant, first.idempotency_key, first.job_id)
            return (
                (earlier, [])
                if earlier is not None
                else (None, await self._insert(connection, checked, sources, place))
            )

        with refusals():
            earlier, jobs = await self._database.transaction(work)
        return [accepted(job, self._notifier) for job in jobs] if earlier is None else await self._group_of(earlier)

    async def _sources(self, submissions: Sequence[Submission], place: Place) -> list[tuple[InputSource, ...]]:
        """Return the sources of each one's inputs; what several name alike is looked up once."""
        tenant = submissions[0].caller.tenant
        every = {medium.source: medium for each in submissions for medium in media_of(each.params)}
        stored = dict[str, str]()
        if any(needs_store(each.params) for each in submissions):
            stored = await self._database.transaction(lambda c: stored_keys(c, tenant, list(every.values())))
        known: dict[tuple[tuple[str, str], ...], tuple[InputSource, ...]] = {}
        found = []
        for number, each in enumerate(submissions):
            named = tuple((medium.name, medium.source) for medium in media_of(each.params))
            if named not in known:
                with at(place(number)):
                    ingested = await self._intake.ingest(tenant, each.job_id, each.params, stored, None)
                assert not ingested.folder, "nothing of a group is stored, so nothing need be removed"
                known[named] = ingested.sources
            found.append(known[named])
        return found

    async def _insert(
        self,
        connection: AsyncConnection,
        submissions: Sequence[Submission],
        sources: Sequence[Sequence[InputSource]],
        place: Place,
    ) -> list[Job]:
        """Insert the jobs in one statement, so that budget and cap are asked of all of them."""
        added, inputs = [], []
        for number, each in enumerate(submissions):
            with at(place(number)):
                spec = await choose_model(
                    connection, self._catalog, each.params, each.origin.dialect, each.caller.tenant
                )
            params: AnyParams = each.params
            spill_seconds = params.prefer_seconds if params.pin == "prefer" else None
            facts = facts_of(each, params, self._settings)
            job = new_job(offers=[Offer(spec.id, spec.price_of(params))], spill_seconds=spill_seconds, **facts)
            with at(place(number)):
                added.append(await beside_helpers(connection, self._catalog, job))
            inputs.append(with_input_rules(sources[number], spec))
        rows = (await connection.execute(submit(*added))).all()
        for each, found in zip(submissions, inputs, strict=True):
            if found:
                await connection.execute(add_inputs(each.job_id, each.caller.tenant, found))
        return sorted((job_from_row(row) for row in rows), key=lambda job: job.seq)

    async def _group_of(self, job: Job) -> list[SubmittedJob]:
        rows = await self._database.rows(find_grouped(job.origin.group or job.id, job.tenant))
        return [SubmittedJob(job=job_from_row(row), repeated=True) for row in rows]


async def check_together(database: Database, settings: Settings, submission: Submission, place: str) -> Submission:
    """Return one of several submissions with its profile's defaults.

    Raises what needs no media and no model to be known, and `InvalidRequest` for a `data:` URL.
    """
    tenant, params = submission.caller.tenant, submission.params
    with at(place):
        params = await with_profile(database, tenant, params, submission.defaults)
        params = check(params, submission.caller, settings)
        for medium in media_of(params):
            if is_data_url(medium.source):
                raise InvalidRequest(
                    "A `data:` URL cannot be one of several jobs; upload the file with POST /inputs/v1, and send "
                    "its `input_id`.",
                    field=medium.field,
                )
    return msgspec.structs.replace(submission, params=params)


@contextmanager
def at(place: str) -> Iterator[None]:
    """Raise what is refused in the block with its field below `place`, and a picture under its documented name."""
    if place == "$":
        yield
        return
    try:
        with as_documented():
            yield
    except RequestRefused as error:
        error.field = place + (error.field or "").removeprefix("$")
        raise


@contextmanager
def as_documented() -> Iterator[None]:
    """Raise what is refused in the block with a picture under its documented name."""
    try:
        yield
    except RequestRefused as error:
        for name in PICTURE_NAMES:
            error.detail = error.detail.replace(f"`{name}`", f"`{PICTURE}`")
            error.field = f"$.{PICTURE}" if error.field == f"$.{name}" else error.field
        raise
