"""Storyboards: their shots become a chain of jobs, by the model that makes them."""

from collections.abc import Collection

import msgspec

from api.chains.submissions import ChainSubmissions, NewChain, NewStep, SubmittedChain
from api.http.auth import Caller
from api.http.database import Database
from api.submit.groups import Place
from api.submit.model_choice import check_model
from api.submit.validation import IdempotencyKey, check_elements
from core.errors.fields import InvalidRequest, MissingField
from core.errors.unavailable import NoModelAvailable
from jobs.params.requests.origin import IGNORE_UNSUPPORTED, NATIVE_ORIGIN, Origin
from jobs.params.requests.storyboard import StoryboardParams
from jobs.params.video import VideoParams
from jobs.statements.queue.submit import served_models
from pipelines.catalog.loader import Catalog
from pipelines.catalog.spec import ModelSpec
from pipelines.catalog.storyboard import PlannedStoryboard, plan_storyboard


class StoryboardSubmissions:
    """The service that turns storyboards into chains."""

    def __init__(self, database: Database, catalog: Catalog, chain_submissions: ChainSubmissions) -> None:
        self._database = database
        self._catalog = catalog
        self._chain_submissions = chain_submissions

    async def submit(
        self,
        caller: Caller,
        params: StoryboardParams,
        *,
        key: IdempotencyKey | None = None,
        traceparent: str | None = None,
        origin: Origin = NATIVE_ORIGIN,
    ) -> SubmittedChain:
        """Return the chain of a storyboard. Raises what `chain_of` and `ChainSubmissions.submit` raise."""
        asked = await self.chain_of(params, origin)
        return await self._chain_submissions.submit(caller, asked, key=key, traceparent=traceparent)

    async def chain_of(self, params: StoryboardParams, origin: Origin = NATIVE_ORIGIN) -> NewChain:
        """Return the chain that a storyboard becomes.

        Without `model` it is that of the first served model of videos that makes all shots. Raises `UnknownModel`,
        `NoModelAvailable`, `MissingField` for elements without a picture, and what `plan_storyboard` raises.
        """
        check_elements(params.elements)
        if params.elements and params.input_image is None:
            raise MissingField(
                "`elements` need a picture beside them; add `input_image`, which the first frames follow.",
                field="$.input_image",
            )
        planned = await self._planned(params, origin.dialect)
        return NewChain(
            steps=[NewStep(step.name, step.params) for step in planned.steps],
            place=_places(planned),
            callback_url=params.callback_url,
            origin=msgspec.structs.replace(origin, warnings=(*origin.warnings, *planned.warnings)),
        )

    async def _planned(self, params: StoryboardParams, dialect: str) -> PlannedStoryboard:
        if params.model is not None:
            return plan_storyboard(self._catalog.resolve(params.model, "video", dialect), params)
        served = {row[0] for row in await self._database.rows(served_models())}
        return self._first_able(params, [spec for spec in self._catalog.of("video") if spec.id in served], dialect)

    def _first_able(self, params: StoryboardParams, specs: Collection[ModelSpec], dialect: str) -> PlannedStoryboard:
        """Return the plan of the first model that makes all shots; raises the first refusal where none does."""
        refusal: InvalidRequest | None = None
        for spec in specs:
            try:
                planned = plan_storyboard(spec, params)
                for step in planned.steps:
                    if isinstance(step.params, VideoParams):
                        ignores = dialect in IGNORE_UNSUPPORTED
                        check_model(self._catalog, spec, step.params, ignores_unsupported=ignores)
                return planned
            except InvalidRequest as error:
                refusal = refusal or error
        raise refusal or NoModelAvailable


def _places(planned: PlannedStoryboard) -> Place:
    """Return where in the body each step comes from."""
    shots = [step.shot for step in planned.steps]
    return lambda number: "$" if (shot := shots[number]) is None else f"$.shots[{shot}]"
