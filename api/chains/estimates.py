"""The estimate of a chain: that of each of its steps, and of all of them one after the other."""

from collections.abc import Sequence

from api.chains.submissions import NewChain, outputs_of, with_outputs
from api.estimates.estimator import Estimator
from api.estimates.quantiles import added, rounded
from api.http.auth import Caller
from api.submit.groups import at
from core.ids import new_id
from jobs.wire.estimates.estimate import ChainEstimate, EstimateAnswer, SecondsRange, StepEstimate


class ChainEstimates:
    """The estimates of chains; nothing is written, and no medium is read."""

    def __init__(self, estimator: Estimator) -> None:
        self._estimator = estimator

    async def estimate(self, caller: Caller, asked: NewChain) -> ChainEstimate:
        """Return what a chain would take and cost now. Raises what its submit raises for a field or a model."""
        ids = [new_id("job") for _ in asked.steps]
        steps = []
        for number, (step, outputs) in enumerate(zip(asked.steps, outputs_of(asked), strict=True)):
            params = with_outputs(step.params, outputs, ids)
            with at(asked.place(number)):
                estimate = await self._estimator.estimate(caller, params, dialect=asked.origin.dialect)
            steps.append(StepEstimate(name=step.name, estimate=estimate))
        every = [step.estimate for step in steps]
        total = _total(every)
        return ChainEstimate(
            steps=steps,
            total=None if total is None else rounded(total),
            price_usd=round(sum(each.price_usd for each in every), 6),
            credits=round(sum(each.credits for each in every), 6),
            balance_remaining_usd=every[-1].balance_remaining_usd,
            warnings=list(asked.origin.warnings),
        )


def _total(steps: Sequence[EstimateAnswer]) -> SecondsRange | None:
    """Return the seconds of all steps; each model is loaded once, and what waits behind a step counts as its queue."""
    if any(step.wait is None for step in steps):
        return None
    loads = {step.model: step.load for step in steps}
    waits = [step.wait for step in steps[:1] if step.wait is not None]
    parts = [*waits, *loads.values(), *(step.run for step in steps)]
    return added((1.0, part) for part in parts)
