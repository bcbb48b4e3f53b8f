"""Metrics and trace spans of the GPU worker.

Nothing here is done per step: a job is counted when it is claimed and when it ends, the engine once a second.
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
from workers.store_watch import StoreWatch

log = logging.getLogger(__name__)

OUTCOMES = {
    JobStatus.COMPLETED: "completed",
    JobStatus.FAILED: "failed",
    JobStatus.QUEUED: "released",
}
"""Outcomes of an attempt by the status that the job has after it; with any other status the job was cancelled."""


class Telemetry:
    """Counters and spans of one supervisor."""

    def __init__(self, server_id: str) -> None:
        self._server_id = server_id
        self._busy = 0.0
        self._shown: set[tuple[str, str]] = set()

    def record_claim(self, job: Job) -> None:
        """Count a job that was claimed, and how long it waited."""
        if job.queued_at is not None and job.started_at is not None:
            waited = (job.started_at - job.queued_at).total_seconds()
            metrics.JOB_WAIT.labels(job.model).observe(max(0.0, waited))

    def record_end(self, claimed: ClaimedJob, ended: Job | None) -> None:
        """Count a job that has ended here: `ended` is the job as it now is, None when the claim was gone."""
        job, outcome = claimed.job, "cancelled" if ended is None else OUTCOMES.get(ended.status, "cancelled")
        timer = claimed.activity.timer
        log.info("job: ended job=%s outcome=%s seconds=%.1f", job.id, outcome, timer.now() - timer.began)
        metrics.JOBS_ENDED.labels(job.model, outcome).inc()
        for phase, seconds in timer.seconds().items():
            metrics.STAGE_SECONDS.labels(job.model, phase).observe(seconds)
        self._trace(claimed, outcome)

    def _trace(self, claimed: ClaimedJob, outcome: str) -> None:
        """Record the attempt as a span below the job's own, and its phases below that."""
        job, timer = claimed.job, claimed.activity.timer
        facts: Facts = {"job_id": job.id, "model": job.model, "server_id": self._server_id, "attempt": job.attempt}
        attempt = record_span(
            "attempt",
            timer.began - claimed.claim_seconds,
            timer.now(),
            parent=job.traceparent,
            kind=SpanKind.CONSUMER,
            failed=outcome if outcome == "failed" else None,
            facts={**facts, "tenant_id": job.tenant, "outcome": outcome},
        )
        if attempt is None:
            return
        record_span("claim", timer.began - claimed.claim_seconds, timer.began, parent=attempt, facts=facts)
        for phase in timer.phases:
            record_span(phase.name, phase.began, phase.ended, parent=attempt, facts=facts)

    def record_inventory(self, inventory: Inventory) -> None:
        """Count the evictions and the out-of-memory errors since the engine's last answer."""
        for model in inventory.evicted:
            metrics.EVICTIONS.labels(model).inc()
        for model in inventory.out_of_memory:
            metrics.OUT_OF_MEMORY.labels(model).inc()

    def record_loss(self, reason: str) -> None:
        """Count an engine that died or is replaced, for one of the reasons `metrics.RESTARTS`."""
        metrics.ENGINE_RESTARTS.labels(reason).inc()

    def show_state(self, engine: ChildProcess, jobs: Iterable[ClaimedJob], store_watch: StoreWatch) -> None:
        """Set the gauges to the present state; called every second or so."""
        busy = max(self._busy, engine.busy_seconds)
        metrics.ENGINE_BUSY.inc(busy - self._busy)
        self._busy = busy
        metrics.MEMORY_BUDGET.set(engine.ready.memory_budget)
        metrics.UPLOADS_STUCK.set(sum(job.activity.store_is_refusing for job in jobs))
        metrics.STORE_UP.set(not store_watch.is_away)
        resident = dict[tuple[str, str], int]()
        for model in engine.inventory.models:  # a model and its variants count together
            resident[model.id, model.where] = resident.get((model.id, model.where), 0) + model.bytes
        for labels in self._shown - resident.keys():
            metrics.RESIDENT_BYTES.remove(*labels)
        for labels, size in resident.items():
            metrics.RESIDENT_BYTES.labels(*labels).set(size)
        self._shown = set(resident)
