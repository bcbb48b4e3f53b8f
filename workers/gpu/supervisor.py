"""The supervisor: claims jobs, has them computed, encoded and stored, and commits them. No CUDA in this process.

One thread claims; each claimed job has a thread of its own that takes it from start to end; one thread keeps leases
and the server's name alive. Computing is one at a time; encoding and uploading overlap with the next job's computing,
and so does claiming it (`workers/gpu/slots.py`).
"""

import logging
import random
import shutil
import threading
import time
from collections.abc import Callable, Iterable

from sqlalchemy import Engine

from core.database import is_unreachable
from core.settings import Settings
from core.storage.store import Store
from jobs.log_context import about_job
from jobs.statements.queue.claim import Claimant
from jobs.wire.servers import ServerFacts
from pipelines.catalog.loader import Catalog
from workers.gpu.engine_maintenance import EngineMaintenance
from workers.gpu.job.claimed_job import ClaimedJob
from workers.gpu.job.execution import Execution
from workers.gpu.job.job_store import JobStore
from workers.gpu.server.lease import ServerIdLost, ServerLease
from workers.gpu.slots import JobSlots
from workers.gpu.telemetry import Telemetry
from workers.ipc.child_process import ChildProcess, ChildProcessDied
from workers.probe_files import ProbeFiles
from workers.scratch import Scratch

log = logging.getLogger(__name__)

BUSY_SECONDS = 0.5
"""A worker that computes for longer than this stops listening to doorbells, so that they reach an idle one."""
CLAIM_SECONDS = 30.0
"""How long a stop waits for a claim that is under way."""


class Supervisor:
    """Everything one GPU worker does.

    `listen(on)` is called to take doorbells or to leave them to others, `leave()` when this process must end because
    another has taken over the server's name.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        database: Engine,
        store: Store,
        catalog: Catalog,
        serves: tuple[str, ...],
        dedicated: bool = False,
        listen: Callable[[bool], None] = lambda on: None,
        leave: Callable[[], None] = lambda: None,
    ) -> None:
        self._settings = settings
        self._catalog = catalog
        self._serves = serves
        self._dedicated = dedicated
        self._listen = listen
        self._leave = leave
        self._scratch = Scratch(settings)
        self._signs = ProbeFiles(settings, "gpu")
        self._ledger = JobStore(database, settings)
        self._presence = ServerLease(database, settings)
        self._telemetry = Telemetry(settings.server_id)
        self._engine = ChildProcess(
            "workers.engine.engine", on_answer=self._telemetry.answered, on_loss=self._telemetry.replaced
        )
        self._encoder = ChildProcess("workers.engine.encoder")
        self._execution = Execution(settings, self._ledger, store, self._engine, self._encoder)
        self._housekeeping = EngineMaintenance(settings, catalog, self._engine, self.look)
        self._slots = JobSlots()
        self._bell = threading.Event()
        self._draining = threading.Event()
        self._stopped = threading.Event()
        self._hurry = threading.Event()
        self._desired = "active"
        self._claimer = threading.Thread(target=self._claim_jobs, name="claim", daemon=True)
        self._keeper = threading.Thread(target=self._keep, name="keep", daemon=True)

    def start(self) -> None:
        """Start the engine, take the server's name, begin to claim. Raises `NameTaken` and `ChildProcessDied`."""
        self._engine.start()
        self._encoder.start()
        self._presence.take(self._facts(), self._draining.wait)
        self._ledger.reclaim(self._presence.server_id, self._presence.incarnation)
        self._scratch.remove_leftovers()
        self._keeper.start()
        self._housekeeping.start()
        self._claimer.start()

    def ring(self) -> None:
        """There may be work."""
        self._bell.set()

    @property
    def serves(self) -> tuple[str, ...]:
        """Models that this worker can load."""
        return self._serves

    def look(self) -> None:
        """Read at once what the operator wants of this server, and tell how it is; from any thread."""
        self._hurry.set()

    def preload(self, model: str, pin: bool) -> None:
        """Bring a model into memory, to stay there if it is pinned; from any thread, and returns at once."""
        self._housekeeping.preload(model, pin)

    def unload(self, model: str | None) -> None:
        """Send a model out of memory, or all of them, even pinned ones; from any thread, and returns at once."""
        self._housekeeping.unload(model)

    def recycle(self) -> None:
        """Have a fresh engine before the next job; from any thread, and returns at once."""
        self._housekeeping.recycle()

    def drain(self) -> None:
        """Claim nothing more, for good; from any thread."""
        self._draining.set()
        self._bell.set()
        self._slots.notify()

    def stop(self) -> None:
        """Drain, let running jobs finish within the grace, hand back the rest, and leave; also after half a start."""
        self.drain()
        self._housekeeping.stop()
        if self._claimer.is_alive():
            self._claimer.join(CLAIM_SECONDS)  # a claim under way must be counted before we look for idleness
        self._hand_back(self._slots.waiting)
        if not self._slots.wait_until_empty(self._settings.grace_seconds):
            self._hand_back(self._slots.held)
            self._slots.wait_until_empty(self._settings.grace_seconds)
        # What is deaf to all that dies with its process; its thread still hands the job back.
        self._engine.stop()
        self._encoder.stop()
        self._slots.wait_until_empty(self._settings.grace_seconds)
        self._stopped.set()
        self._hurry.set()
        self._ledger.close()
        if self._keeper.is_alive():
            self._keeper.join(timeout=10)
        self._presence.leave()
        self._signs.remove()
        self._scratch.remove()

    def _hand_back(self, jobs: Iterable[ClaimedJob]) -> None:
        for held in jobs:
            log.info("job %s is handed back", held.job.id)
            self._execution.preempt(held)

    def _claim_jobs(self) -> None:
        """Claim whenever there is room: at a bell, after a job, and every few seconds with neither."""
        while True:
            self._slots.wait_until_free(self._draining.is_set)
            self._bell.clear()
            if self._draining.is_set():
                return
            try:
                held = self._claim()
                if held is not None:
                    self._begin(held)
                    continue
            except Exception as error:  # this thread must outlive whatever goes wrong with one claim
                if is_unreachable(error):
                    log.warning("the database is away: %s", error)
                else:
                    log.exception("claim")
            self._bell.wait(self._settings.poll_seconds * random.uniform(0.75, 1.25))

    def _may_claim(self) -> bool:
        able = self._desired == "active" and not self._presence.skewed and not self._draining.is_set()
        return able and not self._housekeeping.is_loading

    def _claim(self) -> ClaimedJob | None:
        if not self._may_claim():
            return None
        if self._slots.computing is None:  # else it is there, and busy
            try:
                self._engine.start()
            except ChildProcessDied as error:
                log.error("%s", error)
                return None
            if not self._may_claim():  # to start it can take a while
                return None
        claimant = Claimant(
            server_id=self._presence.server_id,
            incarnation=self._presence.incarnation,
            models=self._serves,
            resident=self._engine.inventory.on_device,
            dedicated=self._dedicated,
        )
        began = time.monotonic()
        job = self._ledger.claim(claimant)
        if job is None:
            return None
        self._telemetry.claimed(job)
        folder = self._scratch.folder(f"{job.id}-{job.fence}")
        return ClaimedJob(job, self._catalog.get(job.model), folder, time.monotonic() - began)

    def _begin(self, held: ClaimedJob) -> None:
        thread = threading.Thread(target=self._run, args=[held], name=held.job.id, daemon=True)
        self._slots.add(held)
        try:
            thread.start()
        except RuntimeError:
            self._ended(held)
            raise

    def _run(self, held: ClaimedJob) -> None:
        with about_job(held.job):
            try:
                ended = self._execution.run(
                    held, on_report=self._slots.notify, on_computed=lambda: self._computed(held)
                )
                self._telemetry.left(held, ended)
            except Exception:
                # The claim stays ours on paper; its lease runs out and upkeep hands the job on.
                log.exception("job %s", held.job.id)
            finally:
                shutil.rmtree(held.folder, ignore_errors=True)
                self._ended(held)

    def _computed(self, held: ClaimedJob) -> None:
        """The device is free for the next job; look for one now, even if there was none to claim ahead."""
        if self._slots.computed(held):
            self._bell.set()
            self._listen(self._may_claim())

    def _ended(self, held: ClaimedJob) -> None:
        self._computed(held)
        self._slots.ended(held)
        if self._desired == "draining":
            self.look()  # somebody may be waiting to hear that nothing is left

    def _keep(self) -> None:
        """Show that we live; beat for the server, by the clock or at once; renew leases; hear bells while of use."""
        tick = min(1.0, self._settings.renew_seconds / 4, self._settings.server_lease_seconds / 8)
        beaten = 0.0
        while not self._stopped.is_set():
            asked = self._hurry.wait(tick)
            self._hurry.clear()
            if self._stopped.is_set():
                return
            try:
                self._signs.touch(ready=self._engine.pid is not None)
                if asked or time.monotonic() - beaten >= self._settings.server_lease_seconds / 4:
                    beaten = time.monotonic()
                    self._beat()
                for held in self._slots.held:
                    if time.monotonic() - held.renewed >= self._settings.renew_seconds:
                        self._renew(held)
                computing = self._slots.computing
                busy = computing is not None and time.monotonic() - computing.claimed > BUSY_SECONDS
                self._listen(self._may_claim() and not busy and self._slots.wants_doorbell)
                self._telemetry.look(self._engine, self._slots.held)
            except Exception:  # this thread keeps every lease: it must outlive whatever goes wrong once
                log.exception("keep")

    def _renew(self, held: ClaimedJob) -> None:
        if held.overrun or held.lost:
            return
        try:
            kept = self._ledger.renew(held.job)
        except Exception as error:
            log.warning("the lease of job %s was not renewed: %s", held.job.id, error)
            return
        held.renewed = time.monotonic()
        if not kept:
            self._execution.abandon(held)

    def _beat(self) -> None:
        before = self._desired
        try:
            self._desired = self._presence.beat(self._facts())
            if self._desired != before:
                log.info("%s, was %s", self._desired, before)
                self._presence.beat(self._facts())  # the first one still told the state of before
                self.ring()
        except ServerIdLost as error:
            log.error("%s: leaving", error)
            for held in self._slots.held:
                self._execution.abandon(held)
            self.drain()
            self._leave()
        except Exception as error:
            log.warning("no heartbeat: %s", error)

    def _facts(self) -> ServerFacts:
        computing, ready = self._slots.computing, self._engine.ready
        if self._draining.is_set() or self._desired == "draining":
            state = "draining" if self._draining.is_set() or self._slots.held else "drained"
        else:
            state = "busy" if computing else "idle"
        return ServerFacts(
            state="clock_skewed" if self._presence.skewed else state,
            device=ready.device,
            memory_total=ready.memory_total,
            memory_used=self._engine.inventory.memory_used,
            serves=self._serves,
            resident=self._engine.inventory.on_device,
            models=self._engine.inventory.models,
            current_job=computing.job.id if computing else None,
            dedicated=self._dedicated,
            versions=ready.versions,
        )
