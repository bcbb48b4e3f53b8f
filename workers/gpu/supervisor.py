"""The supervisor: claims jobs, has them computed, encoded and stored, and commits them. No CUDA in this process.

One thread claims; each claimed job has a thread of its own that takes it to its end; one thread keeps leases and the
server's name alive; one gives the engine its work between jobs. Computing is one at a time; encoding and uploading
overlap with the next job's computing, and so does claiming it (`workers/gpu/job/slots.py`).
"""

import logging
import os
import signal
import time
from collections.abc import Callable

from sqlalchemy import Engine

from core.settings import Settings
from core.storage.store import Store
from jobs.job import Job
from jobs.wire.servers import ServerFacts
from workers.gpu.claim_gate import ClaimGate
from workers.gpu.claimer import Claimer
from workers.gpu.engine_maintenance import EngineMaintenance
from workers.gpu.heartbeat import Heartbeat, beat_seconds
from workers.gpu.job_threads import JobThreads
from workers.gpu.keep_thread import KeepThread
from workers.gpu.server.backend_watch import BackendWatch
from workers.gpu.server.lease import ServerLease
from workers.gpu.server.offer import ServerOffer
from workers.gpu.server_facts import describe_server
from workers.gpu.services import build_services
from workers.gpu.telemetry import Telemetry
from workers.probe_files import ProbeFiles

log = logging.getLogger(__name__)

BUSY_SECONDS = 0.5
"""A worker that computes for longer than this stops listening to doorbells, so that they reach an idle one."""


def terminate() -> None:
    """Have this process end as on SIGTERM."""
    os.kill(os.getpid(), signal.SIGTERM)


class Supervisor:
    """One GPU worker: its children, its threads and the start and stop of both.

    `listen(on)` subscribes to the doorbells or leaves them to other workers; `leave()` ends this process when another
    one has taken the server's name, or when it can compute no more.
    """

    def __init__(
        self,
        settings: Settings,
        offer: ServerOffer,
        *,
        db: Engine,
        store: Store,
        listen: Callable[[bool], None],
        leave: Callable[[], None] = terminate,
    ) -> None:
        self._settings = settings
        self._offer = offer
        self._listen = listen
        self._leave = leave
        self._probe_files = ProbeFiles(settings, "gpu")
        self._lease = ServerLease(db, settings)
        self._telemetry = Telemetry(settings.server_id)
        self._services = services = build_services(
            settings,
            db,
            store,
            self._telemetry,
            on_device_free=self._on_device_free,
            on_store_change=self._on_store_change,
        )
        self._maintenance = EngineMaintenance(settings, offer.catalog, services.engine, self.refresh)
        self._gate = ClaimGate(self._lease, self._maintenance, services.store_watch)
        self._threads = JobThreads(services, self._telemetry, self._on_job_end)
        self._claimer = Claimer(services, offer, self._lease, self._gate, self._threads.start)
        self._heartbeat = Heartbeat(
            self._lease,
            self._gate,
            services.slots,
            services.canceller,
            beat_seconds(settings),
            describe=self._describe,
            on_change=self._claimer.ring,
            on_loss=self._on_name_lost,
        )
        self._keeper = KeepThread(
            min(1.0, beat_seconds(settings) / 2),
            [
                self._leave_if_broken,
                self._show_alive,
                self._heartbeat.beat_if_due,
                BackendWatch(db, offer, self._claimer.ring).look,
                self._update_subscription,
                self._show_metrics,
            ],
        )

    def start(self) -> None:
        """Start the engine, take the server's name, begin to claim. Raises `ServerIdTaken` and `ChildProcessDied`."""
        self._services.engine.start()
        self._services.encoder.start()
        self._lease.take(self._describe(), self._gate.wait_for_drain)
        self._services.job_store.reclaim(self._lease.server_id, self._lease.incarnation)
        self._services.scratch.remove_leftovers()
        self._keeper.start()
        self._maintenance.start()
        self._services.store_watch.start()  # before the first claim: what is computed must find its store
        self._claimer.start()

    def ring(self) -> None:
        """Try to claim a job: a doorbell says that there is one more."""
        self._claimer.ring(announced=1)

    @property
    def defect(self) -> str:
        """Why this worker can compute no more, whatever it does; empty while it can."""
        return self._services.engine.defect or self._services.encoder.defect

    @property
    def serves(self) -> tuple[str, ...]:
        """Models that this worker can load."""
        return self._offer.models

    def refresh(self) -> None:
        """Read what the operator wants of this server, and show its state; from any thread, and returns at once."""
        self._heartbeat.ask()
        self._keeper.wake()

    def preload(self, model: str, pin: bool) -> None:
        """Bring a model into memory, to stay there if it is pinned; from any thread, and returns at once."""
        self._maintenance.preload(model, pin)

    def unload(self, model: str | None) -> None:
        """Send a model out of memory, or all of them, even pinned ones; from any thread, and returns at once."""
        self._maintenance.unload(model)

    def recycle(self) -> None:
        """Replace the engine before the next job; from any thread, and returns at once."""
        self._maintenance.recycle()

    def drain(self) -> None:
        """Claim no further job, for good; from any thread."""
        self._gate.drain()
        self._claimer.ring()
        self._services.slots.notify()

    def stop(self) -> None:
        """Drain, let running jobs finish within the grace, hand back the rest, and leave; also after half a start."""
        services, grace_seconds = self._services, self._settings.grace_seconds
        self.drain()
        self._maintenance.stop()
        self._claimer.join()
        for claimed in services.slots.waiting:
            services.canceller.preempt(claimed)
        if not services.slots.wait_until_empty(grace_seconds):
            for claimed in services.slots.jobs:
                services.canceller.preempt(claimed)
            services.slots.wait_until_empty(grace_seconds)
        # A child that ignores the interrupt is ended; the job's thread still releases the claim.
        services.engine.stop()
        services.encoder.stop()
        services.slots.wait_until_empty(grace_seconds)
        services.job_store.close()
        services.store_watch.stop()
        self._keeper.stop()
        self._lease.leave()
        self._probe_files.remove()
        services.scratch.remove()

    def _on_device_free(self) -> None:
        """Look for the next job at once, unless it was looked for just now, ahead of this moment."""
        self._claimer.look_again()
        self._listen(self._gate.is_open)

    def _on_store_change(self) -> None:
        self._claimer.ring()
        self.refresh()  # the state shows it, and the doorbells follow

    def _on_job_end(self, job: Job) -> None:
        if job.capped:
            self._claimer.ring()  # its row is written now: a tenant that was at its cap may have another job
        else:
            self._claimer.look_again()
        if self._gate.desired == "draining":
            self.refresh()  # the operator may be waiting for the state `drained`

    def _on_name_lost(self) -> None:
        for claimed in self._services.slots.jobs:
            self._services.canceller.abandon(claimed)
        self.drain()
        self._leave()

    def _describe(self) -> ServerFacts:
        return describe_server(self._offer, self._lease, self._gate, self._services)

    def _leave_if_broken(self) -> None:
        """End a worker whose device is gone, or whose child cannot be killed; another process may have more luck."""
        if self.defect and not self._gate.is_draining:
            log.error("worker: leaves reason=%r", self.defect)
            self.drain()
            self._leave()

    def _show_alive(self) -> None:
        """Show signs of life, but not for a broken worker: one that does not even end is for the cluster to kill."""
        if not self.defect:
            self._probe_files.touch(ready=self._services.engine.pid is not None)

    def _update_subscription(self) -> None:
        """Listen to doorbells while one could be of use."""
        slots = self._services.slots
        computing = slots.computing
        is_busy = computing is not None and time.monotonic() - computing.claimed_at > BUSY_SECONDS
        self._listen(self._gate.is_open and not is_busy and slots.wants_doorbell)

    def _show_metrics(self) -> None:
        services = self._services
        self._telemetry.show_state(services.engine, services.slots.jobs, services.store_watch)
