"""The estimate of a job: how long it would wait, load and run, and what it would cost."""

from typing import Annotated, Literal

import msgspec

from jobs.wire.values import documented
from jobs.wire.wait_reasons import Waiting

Basis = Literal["like", "scaled", "catalog"]
"""What `run` follows from: jobs like this one; other jobs of the model, scaled by their work; or the catalog's figure,
since none has run yet."""
Confidence = Literal["none", "low", "medium", "high"]
"""high: 50 jobs like it or more; medium: 10 or more; low: fewer, or jobs of other sizes; none: the catalog's figure."""


class SecondsRange(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds within which half of such jobs are done, and 95 % of them."""

    p50_seconds: float
    p95_seconds: float


class EstimateAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What a job with these fields would take and cost now; nothing was submitted.

    `total` is from the submit to the end: the `wait` for a server, the `load` of the model where it is not in memory,
    and the `run`. `wait` and `total` are null while no server may start it, and `waiting_for` says why. `jobs_ahead`
    are those that would go first, counted to 1,000 of each model. `server_id` is a server that can take it at once,
    else null; `device` is what it would run on.

    `basis` and `confidence` are about `run`, and `sample_size` is the number of jobs that it follows from. `price_usd`
    is what a submit would reserve, and `credits` the same in credits.
    """

    modality: str
    model: str
    wait: SecondsRange | None
    load: SecondsRange
    run: SecondsRange
    total: SecondsRange | None
    basis: Annotated[str, documented(Basis)]
    confidence: Annotated[str, documented(Confidence)]
    sample_size: int
    jobs_ahead: int
    waiting_for: Waiting | None
    model_loaded: bool
    server_id: str | None
    device: str | None
    price_usd: float
    credits: float
    balance_remaining_usd: float | None


class StepEstimate(msgspec.Struct, frozen=True, kw_only=True):
    """A step of a chain, and what its job would take and cost by itself."""

    name: str
    estimate: EstimateAnswer


class ChainEstimate(msgspec.Struct, frozen=True, kw_only=True):
    """What a chain would take and cost now; nothing was submitted.

    `total` is from the submit to the end of its last step, of steps that run one after the other: the wait of the first
    one, the load of each model, and all runs. It is null while no server may start one of them. `price_usd` is what a
    submit would reserve, the sum of its jobs, and `credits` the same in credits.
    """

    steps: list[StepEstimate]
    total: SecondsRange | None
    price_usd: float
    credits: float
    balance_remaining_usd: float | None
    warnings: list[str] = []
