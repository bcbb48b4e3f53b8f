"""Status answers: a job's row, with its queue position, its wait reason, the seconds left and the balance."""

from collections.abc import Sequence

import msgspec

from api.http.auth import Caller
from api.http.database import Database
from core.settings import Settings
from jobs.job import Job, JobStatus
from jobs.statements.queue.forecast import Forecast
from jobs.statements.queue.look import JobView
from jobs.statements.queue.position import POSITION_LIMIT
from jobs.statements.queue.tenant_jobs import balance
from jobs.wire.status import QueueEstimate, StatusAnswer, status_answer
from jobs.wire.wait_reasons import Reason, waiting_for
from pipelines.catalog.loader import Catalog
from pipelines.catalog.workload import catalog_seconds, workload_of_row


class StatusBuilder:
    """Builds status answers."""

    def __init__(self, database: Database, catalog: Catalog, settings: Settings) -> None:
        self._database = database
        self._settings = settings
        self._specs = {spec.id: spec for spec in catalog.models}

    def answer(self, view: JobView) -> StatusAnswer:
        """Return the status answer of a job."""
        usual = self._usual_seconds(view.job) if view.forecast.seconds is None else None
        return status_answer(view.job, self._settings, queue_estimate(view.job, view.forecast, usual))

    async def answers(self, views: Sequence[JobView], caller: Caller) -> list[StatusAnswer]:
        """Return the status answers of a list of the caller's jobs; the balance is read once."""
        facts = await self._database.row(balance(caller.tenant, caller.key_id))
        left = facts[0] if facts else None
        return [msgspec.structs.replace(self.answer(view), balance_remaining_usd=left) for view in views]

    def _usual_seconds(self, job: Job) -> float | None:
        """Return what a job takes by the catalog, until one of its model has run; None once it has ended."""
        spec = None if job.status.terminal else self._specs.get(job.model)
        return None if spec is None else catalog_seconds(spec, workload_of_row(spec, job.params))


def queue_estimate(job: Job, forecast: Forecast, estimate: float | None) -> QueueEstimate:
    """Return the estimate of a job; `estimate` is the catalog's, for a model that has not run yet."""
    position: int | str | None = None
    if forecast.ahead is not None:
        position = forecast.ahead + 1 if forecast.ahead < POSITION_LIMIT else f"{POSITION_LIMIT}+"
    reason = forecast.reason
    if reason is Reason.SERVER_BUSY and forecast.ahead:
        reason = Reason.QUEUE
    seconds = forecast.seconds if forecast.seconds is not None else estimate
    return QueueEstimate(
        queue_position=position,
        waiting_for=None if reason is None else waiting_for(reason),
        estimated_seconds=None if seconds is None else remaining(job, seconds, forecast.ahead, forecast.servers),
        balance_remaining_usd=forecast.balance,
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
