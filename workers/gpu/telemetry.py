"""What a GPU worker tells of its jobs and its engine: metrics, and the spans of an attempt.

Nothing here is done per step: a job is told of when it is claimed and when it leaves, the engine once a second.
"""

import logging
from collections.abc import Iterable

from opentelemetry.trace import SpanKind

from core import metrics
from core.tracing import Facts, record_span
from jobs.job import Job, JobStatus
from workers.gpu.job.claimed_job import ClaimedJob
from workers.ipc.child_process import ChildProcess
from workers.ipc.messages import Inventory

log = logging.getLogger(__name__)

OUTCOMES = {
    JobStatus.COMPLETED: "completed",
    JobStatus.FAILED: "failed",
    JobStatus.QUEUED: "released",
}
"""What a job's status says of how it left; one that is not ours any more was cancelled."""


class Telemetry:
    """Of one supervisor."""

    def __init__(self, server_id: str) -> None:
        self._server_id = server_id
        self._busy = 0.0
        self._shown: set[tuple[str, str]] = set()

    def claimed(self, job: Job) -> None:
        """A job was taken from the queue."""
        if job.queued_at is not None and job.started_at is not None:
            waited = (job.started_at - job.queued_at).total_seconds()
            metrics.JOB_WAIT.labels(job.model).observe(max(0.0, waited))

    def left(self, held: ClaimedJob, ended: Job | None) -> None:
        """A job is out of our hands: as it now is, or None when the claim was gone."""
        job, outcome = held.job, "cancelled" if ended is None else OUTCOMES.get(ended.status, "cancelled")
        log.info("job %s: %s after %.1f s", job.id, outcome, held.stages.now() - held.stages.began)
        metrics.JOBS_ENDED.labels(job.model, outcome).inc()
        for phase, seconds in held.stages.seconds().items():
            metrics.STAGE_SECONDS.labels(job.model, phase).observe(seconds)
        self._trace(held, outcome)

    def _trace(self, held: ClaimedJob, outcome: str) -> None:
        """The attempt as a span below the job's own, and its parts below that."""
        job, stages, now = held.job, held.stages, held.stages.now()
        facts: Facts = {"job_id": job.id, "model": job.model, "server_id": self._server_id, "attempt": job.attempt}
        attempt = record_span(
            "attempt",
            stages.began - held.claim_seconds,
            now,
            parent=job.traceparent,
            kind=SpanKind.CONSUMER,
            failed=outcome if outcome == "failed" else None,
            facts={**facts, "tenant_id": job.tenant, "outcome": outcome},
        )
        if attempt is None:
            return
        record_span("claim", stages.began - held.claim_seconds, stages.began, parent=attempt, facts=facts)
        for phase in stages.phases:
            record_span(phase.name, phase.began, phase.ended, parent=attempt, facts=facts)

    def answered(self, inventory: Inventory) -> None:
        """The engine has answered: what had to leave, and where memory ran out, since it last did."""
        for model in inventory.evicted:
            metrics.EVICTIONS.labels(model).inc()
        for model in inventory.out_of_memory:
            metrics.OUT_OF_MEMORY.labels(model).inc()

    def replaced(self, reason: str) -> None:
        """The engine was lost, or is replaced: one of `metrics.RESTARTS`."""
        metrics.ENGINE_RESTARTS.labels(reason).inc()

    def look(self, engine: ChildProcess, held: Iterable[ClaimedJob]) -> None:
        """How things are; called every second or so."""
        busy = max(self._busy, engine.busy_seconds)
        metrics.ENGINE_BUSY.inc(busy - self._busy)
        self._busy = busy
        metrics.MEMORY_BUDGET.set(engine.ready.memory_budget)
        metrics.UPLOADS_STUCK.set(sum(one.store_is_refusing for one in held))
        resident = {(model.id, model.where): model.bytes for model in engine.inventory.models}
        for labels in self._shown - resident.keys():
            metrics.RESIDENT_BYTES.remove(*labels)
        for labels, size in resident.items():
            metrics.RESIDENT_BYTES.labels(*labels).set(size)
        self._shown = set(resident)
