"""A remote backend as a server: the name, the leases and the claims of one, and jobs that are made elsewhere."""

import asyncio
import logging
import random
import shutil
import threading
import time
from collections.abc import Sequence

from sqlalchemy import Engine

from core.database import is_unreachable
from core.metrics import BACKEND_CIRCUIT, BACKEND_JOBS
from jobs.job import Job
from jobs.log_context import about_job
from jobs.statements.queue.claim import Claimant
from jobs.wire.servers import BackendState, ServerFacts
from pipelines.catalog.loader import Catalog
from workers.backend_order import read_living, turn, waits
from workers.gpu.heartbeat import Heartbeat, beat_seconds
from workers.gpu.job.claimed_job import ClaimedJob
from workers.gpu.keep_thread import KeepThread
from workers.gpu.server.lease import ServerIdTaken, ServerLease
from workers.gpu.telemetry import Telemetry
from workers.remote import atelier, openai
from workers.remote.connection import BackendConnection
from workers.remote.held_jobs import HeldJobs
from workers.remote.job import RemoteServices, run_remote_job
from workers.remote.outcomes import RemoteAway
from workers.scratch import Scratch

log = logging.getLogger(__name__)

BEAT_SECONDS = 2.0
"""The longest time between two beats: by one of them a cancelled job is noticed."""
CHECK_SECONDS = 10.0
"""How long a check of the health may take."""
OFFERED = {"openai": openai.offered, "atelier": atelier.offered}
OUTCOMES = {"completed": "completed", "failed": "failed", "queued": "released"}


class BackendServer:
    """One backend under its name, on one CPU worker at a time; others stand by to take the name over."""

    def __init__(self, services: RemoteServices, catalog: Catalog, db: Engine, scratch: Scratch) -> None:
        self._services = services
        self._backend = backend = services.backend
        self._db = db
        self._scratch = scratch
        self._specs = tuple(spec for spec in catalog.models if spec.place_of(backend.name) is not None)
        self._lease = ServerLease(db, services.settings)
        self._jobs = HeldJobs()
        self._telemetry = Telemetry(backend.server_id)
        self._serves: tuple[str, ...] = ()
        self._checked_at = float("-inf")
        self._stopped = threading.Event()
        self._woken = threading.Event()
        self._lost = threading.Event()
        self.desired = "active"
        """What an operator wants of it; the heartbeat writes it."""
        self._heartbeat = Heartbeat(
            self._lease,
            self,
            self._jobs,
            self._jobs,
            min(beat_seconds(services.settings), BEAT_SECONDS),
            describe=self._describe,
            on_change=self._woken.set,
            on_loss=self._lost.set,
        )
        self._thread = threading.Thread(target=self._run, name=backend.server_id, daemon=True)

    def start(self) -> None:
        """Begin, in a thread of its own."""
        self._thread.start()

    def begin_stop(self) -> None:
        """Claim no more; returns at once."""
        self._stopped.set()
        self._woken.set()

    def stop(self) -> None:
        """Claim no more, let jobs end within the grace, hand back the rest, and give the name back."""
        self.begin_stop()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while not self._stopped.is_set():
            try:
                self._lease.take(self._describe(), self._stopped.wait)
            except ServerIdTaken:
                continue  # another CPU worker has it
            except Exception:
                log.exception("backend: name not taken name=%s", self._backend.name)
                self._stopped.wait(BEAT_SECONDS)
                continue
            self._hold()

    def _hold(self) -> None:
        """Work under the name until it is lost or the worker stops."""
        self._lost.clear()
        keeper = KeepThread(min(1.0, beat_seconds(self._services.settings) / 2), [self._heartbeat.beat_if_due])
        keeper.start()
        try:
            self._services.job_store.reclaim(self._lease.server_id, self._lease.incarnation)
            while not (self._stopped.is_set() or self._lost.is_set()):
                self._work()
                self._woken.wait(self._services.settings.backend_poll_seconds * random.uniform(0.75, 1.25))
                self._woken.clear()
            self._release()
        finally:
            keeper.stop()
            if not self._lost.is_set():
                self._lease.leave()

    def _release(self) -> None:
        """Let the jobs end: within the grace, or as soon as they notice that they are unwanted."""
        grace = self._services.settings.grace_seconds
        if self._lost.is_set():
            for claimed in self._jobs.jobs:
                self._jobs.abandon(claimed)
        elif not self._jobs.wait_until_empty(grace):
            for claimed in self._jobs.jobs:
                claimed.cancellation.preempt()
        self._jobs.wait_until_empty(grace)

    def _work(self) -> None:
        """Check the backend if that is due, and claim as many jobs as it may have."""
        try:
            self._check_if_due()
            while self._may_claim() and self._claim():
                pass
        except Exception as error:  # this thread must outlive whatever goes wrong once
            level = logging.WARNING if is_unreachable(error) else logging.ERROR
            log.log(level, "backend: no jobs claimed name=%s reason=%r", self._backend.name, str(error))

    def _check_if_due(self) -> None:
        circuit, pause = self._services.circuit, self._services.settings.backend_check_seconds
        is_due = circuit.is_due if circuit.state == "open" else time.monotonic() - self._checked_at >= pause
        if not is_due:
            return
        failures, before = circuit.failures, (circuit.state, self._serves)
        self._checked_at = time.monotonic()
        try:
            self._serves = asyncio.run(self._check())
            circuit.note_health(failures)
        except RemoteAway as error:
            circuit.note_failure(error.problem, error.retry_after)
        if before != (circuit.state, self._serves):
            log.info("backend: %s name=%s problem=%s", circuit.state, self._backend.name, circuit.problem)
            self._heartbeat.ask()

    async def _check(self) -> tuple[str, ...]:
        """Return the models that the backend has now. Raises `RemoteAway`."""
        names = {spec.id: self._remote_name(spec.id) for spec in self._specs}
        try:
            async with (
                asyncio.timeout(CHECK_SECONDS),
                BackendConnection(self._services.settings, self._backend, self._services.key) as connection,
            ):
                offered = await OFFERED[self._backend.kind](connection, set(names.values()))
        except TimeoutError:
            raise RemoteAway("timed_out", "no answer to a check", may_have_computed=False) from None
        return tuple(model for model, name in names.items() if name in offered)

    def _remote_name(self, model: str) -> str:
        place = next(spec for spec in self._specs if spec.id == model).place_of(self._backend.name)
        return (place.model if place else None) or model

    def _may_claim(self) -> bool:
        most = {"closed": self._backend.concurrency, "half_open": 1, "open": 0}[self._services.circuit.state]
        is_free = len(self._jobs.jobs) < most and not self._services.store_watch.is_away
        return is_free and self.desired == "active" and not (self._stopped.is_set() or self._lost.is_set())

    def _claim(self) -> bool:
        """Claim a job and start it; return whether there was one."""
        servers = read_living(self._db)
        specs = [spec for spec in self._specs if spec.id in self._serves]
        turns = [turn(spec, self._backend.name, self._backend.kind, servers) for spec in specs]
        for waited, group in waits(turns):
            began = time.monotonic()
            job = self._services.job_store.claim(
                Claimant(
                    server_id=self._lease.server_id,
                    incarnation=self._lease.incarnation,
                    models=tuple(one.model for one in group),
                    dedicated=waited is None,
                    backends=tuple((one.model, one.noted) for one in group),
                    remote=True,
                    waited_seconds=waited or 0.0,
                )
            )
            if job is not None:
                self._start_job(job, time.monotonic() - began)
                return True
        return False

    def _start_job(self, job: Job, claim_seconds: float) -> None:
        spec = next(spec for spec in self._specs if spec.id == job.model)
        claimed = ClaimedJob.begin(job, spec, self._scratch.folder(f"{job.id}-{job.fence}"), claim_seconds)
        self._jobs.add(claimed)
        threading.Thread(target=self._run_job, args=[claimed], name=job.id, daemon=True).start()

    def _run_job(self, claimed: ClaimedJob) -> None:
        with about_job(claimed.job):
            outcome = "broken_off"
            try:
                self._telemetry.record_claim(claimed.job)
                ended = run_remote_job(claimed, self._services)
                self._telemetry.record_end(claimed, ended)
                outcome = "cancelled" if ended is None else OUTCOMES.get(ended.status.value, "cancelled")
            except Exception:
                # The row still shows this claim; its lease runs out and maintenance requeues the job.
                log.exception("job: broken off job=%s", claimed.job.id)
            finally:
                BACKEND_JOBS.labels(self._backend.name, outcome).inc()
                shutil.rmtree(claimed.folder, ignore_errors=True)
                self._jobs.remove(claimed)
                self._heartbeat.ask()
                self._woken.set()

    def _describe(self) -> ServerFacts:
        circuit, jobs = self._services.circuit, self._jobs.jobs
        for state in ("closed", "half_open", "open"):
            BACKEND_CIRCUIT.labels(self._backend.name, state).set(state == circuit.state)
        is_full = len(jobs) >= self._backend.concurrency
        return ServerFacts(
            state=self._state(jobs),
            device="remote",
            problem=self._services.store_watch.problem,
            serves=() if circuit.state == "open" else self._serves,
            current_job=jobs[0].job.id if is_full else None,
            versions=dict(self._services.versions),
            backend=BackendState(
                name=self._backend.name,
                kind=self._backend.kind,
                circuit=circuit.state,
                problem=circuit.problem,
                failures=circuit.failures,
            ),
        )

    def _state(self, jobs: Sequence[ClaimedJob]) -> str:
        if self._lease.skewed:
            return "clock_skewed"
        if self._stopped.is_set() or self.desired == "draining":
            return "draining" if jobs or self._stopped.is_set() else "drained"
        if self._services.store_watch.is_away:
            return "store_away"
        if self._services.circuit.state == "open":
            return "backend_away"
        return "busy" if jobs else "idle"
