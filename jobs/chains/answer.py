"""The answer that shows a chain: its steps, each with the status of its job."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

import msgspec

from core.settings import Settings
from jobs.chains.chain import Chain, ChainStep
from jobs.job import Job, JobError, JobStatus
from jobs.wire.status import OutputAnswer, QueueEstimate, StatusAnswer, status_answer
from jobs.wire.values import UtcTime, documented
from jobs.wire.webhooks import ChainEventType

ChainStatus = Literal["queued", "processing", "completed", "failed", "cancelled"]


class ChainStepAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A step: its name, the steps whose outputs it still waits for, and its job; null once that was deleted."""

    name: str
    waits_for: list[str]
    job: StatusAnswer | None


class ChainAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A chain as its owner sees it.

    `progress` is the mean of its jobs. `outputs` are those of its last step. `failed_step` and `error` say which step
    ended it and why, once it has failed. `price_usd` is what it costs at most, the sum of its jobs, and `cost_usd` what
    it has cost so far. The place of a job in the queue is in the status of the job alone. `warnings` are about what was
    asked for as one, and are made as several.
    """

    chain_id: str
    status: ChainStatus
    progress: float
    steps: list[ChainStepAnswer]
    failed_step: str | None
    error: JobError | None
    result_url: str | None
    outputs: list[OutputAnswer]
    price_usd: float
    cost_usd: float
    created_at: UtcTime
    finished_at: UtcTime | None
    warnings: list[str] = []


class ChainPage(msgspec.Struct, frozen=True):
    """Chains, newest first; `next_cursor` is null on the last page."""

    chains: list[ChainAnswer]
    next_cursor: str | None


class ChainEvent(msgspec.Struct, frozen=True):
    """The body of a webhook about a chain's end, which is sent to its `callback_url` and to endpoints.

    `data` is what the chain answers now.
    """

    type: Annotated[str, documented(ChainEventType)]
    timestamp: UtcTime
    data: ChainAnswer


def chain_answer(chain: Chain, steps: Sequence[ChainStep], jobs: Mapping[str, Job], settings: Settings) -> ChainAnswer:
    """Return the answer for a chain; `jobs` has those of its jobs that are not deleted, by id."""
    shown = [_step(step, steps, jobs, settings) for step in steps]
    known = [jobs[step.job_id] for step in steps if step.job_id in jobs]
    last = shown[-1].job
    return ChainAnswer(
        chain_id=chain.id,
        status=status_of(chain, known),
        progress=round(sum(job.progress for job in known) / len(steps), 4),
        steps=shown,
        failed_step=chain.failed_step,
        error=chain.error,
        result_url=last.result_url if last else None,
        outputs=last.outputs if last else [],
        price_usd=round(sum(job.price_usd or 0.0 for job in known), 6),
        cost_usd=round(sum(job.cost for job in known), 6),
        created_at=chain.created_at,
        finished_at=chain.ended_at,
        warnings=list(chain.origin.warnings),
    )


def status_of(chain: Chain, jobs: Sequence[Job]) -> ChainStatus:
    """Return the status of a chain: that of its row once it has ended, before that whether a job was started."""
    if chain.status in ("completed", "failed", "cancelled"):
        return chain.status
    return "processing" if any(job.status not in (JobStatus.PENDING, JobStatus.QUEUED) for job in jobs) else "queued"


def _step(step: ChainStep, steps: Sequence[ChainStep], jobs: Mapping[str, Job], settings: Settings) -> ChainStepAnswer:
    job = jobs.get(step.job_id)
    names = {steps[one.step].name for one in step.wait.outputs} if step.wait else set()
    return ChainStepAnswer(
        name=step.name,
        waits_for=sorted(names),
        job=None if job is None else status_answer(job, settings, QueueEstimate()),
    )
