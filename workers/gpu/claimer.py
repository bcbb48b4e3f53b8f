"""The claim thread: claims a job whenever one may be claimed."""

import logging
import math
import random
import threading
import time
from collections.abc import Callable

import msgspec

from core.database import is_unreachable
from jobs.job import Job
from jobs.statements.queue.claim import Claimant
from pipelines.image.batching import jobs_at_once
from workers.gpu.claim_gate import ClaimGate
from workers.gpu.job.claimed_job import ClaimedJob
from workers.gpu.job.pipeline import JobServices
from workers.gpu.server.lease import ServerLease
from workers.gpu.server.offer import ServerOffer
from workers.ipc.child_process import ChildProcessDied

log = logging.getLogger(__name__)

STOP_SECONDS = 30.0
"""How long a stop waits for a claim that is under way."""

RECENT_SECONDS = 1.0
"""A claim that began less than this ago and found nothing is not repeated without a doorbell."""


class Claimer:
    """Claims at a doorbell, after a job, and every few seconds without either; `start_run` begins each run.

    A run is of one job. Where the catalog has equal jobs of the model share a run, it is also of those that are next in
    the fair order, one after the other, as long as they are equal; no job is overtaken.

    After a job it asks again only if that can find something: not when it has just asked, ahead of the job's end, and
    not when the job is the only one that a doorbell has announced since the queue was empty, and has not waited for
    longer than a doorbell takes.
    """

    def __init__(
        self,
        services: JobServices,
        offer: ServerOffer,
        lease: ServerLease,
        gate: ClaimGate,
        start_run: Callable[..., None],
    ) -> None:
        self._services = services
        self._offer = offer
        self._lease = lease
        self._gate = gate
        self._start_run = start_run
        self._bell = threading.Event()
        self._announced = math.inf
        """How many jobs were announced since the last claim began; infinitely many where that is not known."""
        self._is_empty = False
        """Whether the queue was empty at the last claim, apart from the job that it found."""
        self._asked_at = -math.inf
        """When the last claim began; infinitely long ago if it found a job, or nothing was asked."""
        self._thread = threading.Thread(target=self._run, name="claim", daemon=True)

    def start(self) -> None:
        """Begin to claim."""
        self._thread.start()

    def ring(self, announced: float = math.inf) -> None:
        """Try to claim at once: there may be work, of as many jobs as are `announced`."""
        self._announced += announced
        self._bell.set()

    def look_again(self) -> None:
        """Try to claim at once, unless that was done just now without success; a doorbell is not forgotten."""
        if time.monotonic() - self._asked_at >= RECENT_SECONDS:
            self.ring()

    def join(self) -> None:
        """Wait, after a drain, for a claim that is under way: its job is to be handed back with the others."""
        if self._thread.is_alive():
            self._thread.join(STOP_SECONDS)

    def claim(self) -> ClaimedJob | None:
        """Claim the best job for this worker, if one may be claimed now. Raises what the database raises."""
        if not self._gate.is_open or not self._is_engine_up():
            self._asked_at = -math.inf
            return None
        self._asked_at = began = time.monotonic()
        job = self._claim_job()
        if job is None:
            return None
        self._asked_at = -math.inf
        return self._begin(job, time.monotonic() - began)

    def claim_equals(self, first: ClaimedJob) -> list[ClaimedJob]:
        """Claim the jobs that share the run of `first`: those next in the fair order, while they are equal to it.

        An error ends the search, since what was claimed has to be computed.
        """
        found: list[ClaimedJob] = []
        if first.job.fence > 1 or first.job.origin.reproduces is not None:  # both are computed alone
            return found
        most = jobs_at_once(first.spec, first.job.read_params())
        try:
            while len(found) + 1 < most and self._gate.is_open:
                began = time.monotonic()
                job = self._services.job_store.claim(self._claimant(), equal_to=first.job)
                if job is None:
                    break
                found.append(self._begin(job, time.monotonic() - began, beside=first))
        except Exception as error:
            log.warning("claim: no further job for the run reason=%r", str(error))
        return found

    def _claim_job(self) -> Job | None:
        """Claim a job; of models that are left to backends only one that asks for this server."""
        claimant, job_store, offer = self._claimant(), self._services.job_store, self._offer
        left = tuple(model for model in offer.models if model in offer.reserved)
        job = job_store.claim(claimant) if claimant.models or not left else None
        if job is not None or not left:
            return job
        return job_store.claim(msgspec.structs.replace(claimant, models=left, dedicated=True))

    def claim_next(self) -> bool:
        """Claim a job and start it; return whether another claim may find one at once.

        A lost doorbell costs at most the time to the next poll.
        """
        # Before the bell is cleared: what is asked for from now on is this claim.
        self._asked_at = began = time.monotonic()
        self._bell.clear()
        announced, self._announced = self._announced, 0.0
        run = self._claim_and_start(is_only_one=self._is_empty and announced == 1)
        if not run:
            self._is_empty = math.isfinite(self._asked_at)
            return False
        self._is_empty = self._is_empty and announced == len(run) and not any(_was_missed(each.job) for each in run)
        if self._is_empty:
            self._asked_at = began
        return not self._is_empty

    def _is_engine_up(self) -> bool:
        """Start the engine if need be, which can take a while; returns whether a job may be claimed after that."""
        if self._services.slots.computing is not None:  # the engine is up, and busy
            return True
        try:
            self._services.engine.start()
        except ChildProcessDied as error:
            log.error("engine: not started reason=%r", str(error))
            return False
        return self._gate.is_open

    def _run(self) -> None:
        slots, poll_seconds = self._services.slots, self._services.settings.poll_seconds
        while True:
            slots.wait_until_free(lambda: self._gate.is_draining)
            looks_again = self.claim_next()
            if self._gate.is_draining:
                return
            if not looks_again:
                self._bell.wait(poll_seconds * random.uniform(0.75, 1.25))

    def _claimant(self) -> Claimant:
        return Claimant(
            server_id=self._lease.server_id,
            incarnation=self._lease.incarnation,
            models=self._offer.open_models,
            resident=self._services.engine.inventory.on_device,
            dedicated=self._offer.dedicated,
            backends=self._offer.notes,
        )

    def _begin(self, job: Job, seconds: float, beside: ClaimedJob | None = None) -> ClaimedJob:
        folder = self._services.scratch.folder(f"{job.id}-{job.fence}")
        return ClaimedJob.begin(job, self._offer.catalog.get(job.model), folder, seconds, beside)

    def _claim_and_start(self, *, is_only_one: bool) -> list[ClaimedJob]:
        """Return the jobs that were claimed; `is_only_one` says that no more than one waits."""
        try:
            claimed = self.claim()
            if claimed is None:
                return []
            run = [claimed] if is_only_one else [claimed, *self.claim_equals(claimed)]
            self._start_run(*run)
        except Exception as error:  # this thread must outlive whatever goes wrong with one claim
            self._asked_at = -math.inf
            if is_unreachable(error):
                log.warning("claim: failed reason=%r", str(error))
            else:
                log.exception("claim: failed")
            return []
        return run


def _was_missed(job: Job) -> bool:
    """Return whether a job had waited for a while: its own doorbell was lost, and this one announced another job."""
    since = job.queued_at or job.created_at
    return job.started_at is not None and (job.started_at - since).total_seconds() >= RECENT_SECONDS
