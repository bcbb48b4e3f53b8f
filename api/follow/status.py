"""What a job's row does not say: its place in the queue and what it waits for, the seconds still to go, the dollars
left.

One statement for a whole outlook, so that a status poll stays at three: key, row, outlook.
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
    """Makes status answers."""

    def __init__(self, database: Database, catalog: Catalog, settings: Settings) -> None:
        self._database = database
        self._settings = settings
        self._estimates = {spec.id: spec.estimated_seconds for spec in catalog.models}

    async def answer(self, job: Job) -> StatusAnswer:
        """A job's status answer as of now."""
        facts = await self._database.row(_facts(job))
        assert facts is not None, "a SELECT of subqueries has one row"
        return status_answer(job, self._settings, queue_estimate(job, facts, self._estimates.get(job.model)))

    def plain(self, job: Job) -> StatusAnswer:
        """A job's status answer without an outlook, for when the database can not be asked."""
        return status_answer(job, self._settings, QueueEstimate())

    async def answers(self, jobs: list[Job], tenant: str) -> list[StatusAnswer]:
        """Status answers for a list: without places and estimates, which would cost a count each."""
        facts = await self._database.row(balance(tenant))
        left = QueueEstimate(balance_remaining_usd=facts[0] if facts else None)
        return [status_answer(job, self._settings, left) for job in jobs]


def _facts(job: Job) -> Select[Any]:
    """`balance`, and while it matters `ahead`, `reason`, `seconds` and `servers`."""
    left = balance(job.tenant).scalar_subquery().label("balance")
    nothing = null().label("ahead"), null().label("reason")
    if job.status.terminal:
        return select(left, *nothing, null().label("seconds"), null().label("servers"))
    speed = pace(job.model).subquery()
    if job.status not in WAITING:
        return select(left, *nothing, speed.c.seconds, speed.c.servers)
    ahead = queue_position(job).scalar_subquery() if job.status is JobStatus.QUEUED else null()
    return select(left, ahead.label("ahead"), reason(job).label("reason"), speed.c.seconds, speed.c.servers)


def queue_estimate(job: Job, facts: Row[Any], estimate: float | None) -> QueueEstimate:
    """The outlook that `facts` stand for; `estimate` is the catalogue's, for a model that has not run yet."""
    place: int | str | None = None
    if facts.ahead is not None:
        place = facts.ahead + 1 if facts.ahead < POSITION_LIMIT else f"{POSITION_LIMIT}+"
    why = None if facts.reason is None else Reason(facts.reason)
    if why is Reason.SERVER_BUSY and facts.ahead:
        why = Reason.QUEUE
    seconds = facts.seconds if facts.seconds is not None else estimate
    return QueueEstimate(
        queue_position=place,
        waiting_for=None if why is None else waiting_for(why),
        estimated_seconds=None if seconds is None else remaining(job, float(seconds), facts.ahead, facts.servers),
        balance_remaining_usd=facts.balance,
    )


def remaining(job: Job, seconds: float, ahead: int | None, servers: int | None) -> float | None:
    """Seconds until the job ends, when one takes `seconds`; none once it has ended or while nobody serves its model."""
    if job.status is JobStatus.PROCESSING:
        return round(seconds * (1 - min(max(job.progress, 0.0), 1.0)), 3)
    if job.status.terminal or not servers:
        return None
    return round(seconds * (1 + (ahead or 0) / servers), 3)
