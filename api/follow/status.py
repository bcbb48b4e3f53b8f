"""Status answers: a job's row, with its queue position, its wait reason, the seconds left and the balance.

One statement reads the whole estimate, so that a status poll takes three statements: key, row, estimate.
"""

from typing import Any

from sqlalchemy import Row, Select, null, select

from api.http.database import Database
from core.settings import Settings
from jobs.job import WAITING, Job, JobStatus
from jobs.statements.queue.position import POSITION_LIMIT, queue_position, reason
from jobs.statements.queue.tenant_jobs import balance, pace
from jobs.wire.status import QueueEstimate, StatusAnswer, status_answer
from jobs.wire.wait_reasons import Reason, waiting_for
from pipelines.catalog.loader import Catalog


class StatusBuilder:
    """Builds status answers."""

    def __init__(self, database: Database, catalog: Catalog, settings: Settings) -> None:
        self._database = database
        self._settings = settings
        self._estimates = {spec.id: spec.estimated_seconds for spec in catalog.models}

    async def answer(self, job: Job) -> StatusAnswer:
        """Return the status answer of a job as of now."""
        facts = await self._database.row(_facts(job))
        assert facts is not None, "a SELECT of subqueries has one row"
        return status_answer(job, self._settings, queue_estimate(job, facts, self._estimates.get(job.model)))

    def plain_answer(self, job: Job) -> StatusAnswer:
        """Return the status answer of a job without an estimate, for when the database is away."""
        return status_answer(job, self._settings, QueueEstimate())

    async def answers(self, jobs: list[Job], tenant: str) -> list[StatusAnswer]:
        """Return status answers for a list, without positions and estimates, which would cost a count each."""
        facts = await self._database.row(balance(tenant))
        estimate = QueueEstimate(balance_remaining_usd=facts[0] if facts else None)
        return [status_answer(job, self._settings, estimate) for job in jobs]


def _facts(job: Job) -> Select[Any]:
    """Return the statement of `balance`, and while they matter `ahead`, `reason`, `seconds` and `servers`."""
    remaining_balance = balance(job.tenant).scalar_subquery().label("balance")
    nothing = null().label("ahead"), null().label("reason")
    if job.status.terminal:
        return select(remaining_balance, *nothing, null().label("seconds"), null().label("servers"))
    speed = pace(job.model).subquery()
    if job.status not in WAITING:
        return select(remaining_balance, *nothing, speed.c.seconds, speed.c.servers)
    ahead = queue_position(job).scalar_subquery() if job.status is JobStatus.QUEUED else null()
    return select(
        remaining_balance, ahead.label("ahead"), reason(job).label("reason"), speed.c.seconds, speed.c.servers
    )


def queue_estimate(job: Job, facts: Row[Any], estimate: float | None) -> QueueEstimate:
    """Return the estimate from `facts`; `estimate` is the catalog's, for a model that has not run yet."""
    position: int | str | None = None
    if facts.ahead is not None:
        position = facts.ahead + 1 if facts.ahead < POSITION_LIMIT else f"{POSITION_LIMIT}+"
    wait_reason = None if facts.reason is None else Reason(facts.reason)
    if wait_reason is Reason.SERVER_BUSY and facts.ahead:
        wait_reason = Reason.QUEUE
    seconds = facts.seconds if facts.seconds is not None else estimate
    return QueueEstimate(
        queue_position=position,
        waiting_for=None if wait_reason is None else waiting_for(wait_reason),
        estimated_seconds=None if seconds is None else remaining(job, float(seconds), facts.ahead, facts.servers),
        balance_remaining_usd=facts.balance,
    )


def remaining(job: Job, seconds: float, ahead: int | None, servers: int | None) -> float | None:
    """Return the seconds until the job ends, when one job takes `seconds`.

    None once it has ended, and while no server serves its model.
    """
    if job.status is JobStatus.PROCESSING:
        return round(seconds * (1 - min(max(job.progress, 0.0), 1.0)), 3)
    if job.status.terminal or not servers:
        return None
    return round(seconds * (1 + (ahead or 0) / servers), 3)
