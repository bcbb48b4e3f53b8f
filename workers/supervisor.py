"""The supervisor: claims jobs, has them computed, encoded and stored, and commits them. No CUDA in this process.

One thread claims; each claimed job has a thread of its own that takes it from start to end; one thread keeps leases
and the server's name alive. Computing is one at a time; encoding and uploading overlap with the next job's computing.
"""

import glob
import logging
import random
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import Engine

from jobs.database import is_away
from jobs.job import Job
from jobs.settings import Settings
from jobs.statements.claim import Claimant
from jobs.statements.fleet import ServerFacts
from jobs.storage import Store
from pipelines.catalog import Catalog
from workers.execution import Execution
from workers.held import Held
from workers.ledger import Ledger
from workers.presence import NameLost, Presence
from workers.servant import Servant, ServantDied

log = logging.getLogger(__name__)

FINISHING = 2
"""Jobs that may be encoding or uploading before no further job is claimed."""
BUSY_SECONDS = 0.5
"""A worker that computes for longer than this stops listening to doorbells, so that they reach an idle one."""


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
        scratch: Path,
        dedicated: bool = False,
        listen: Callable[[bool], None] = lambda on: None,
        leave: Callable[[], None] = lambda: None,
    ) -> None:
        self._settings = settings
        self._catalog = catalog
        self._serves = serves
        self._scratch = scratch
        self._dedicated = dedicated
        self._listen = listen
        self._leave = leave
        self._ledger = Ledger(database, settings)
        self._presence = Presence(database, settings)
        self._engine = Servant("workers.engine")
        self._encoder = Servant("workers.encoder")
        self._execution = Execution(settings, self._ledger, store, self._engine, self._encoder)
        self._held: dict[str, Held] = {}
        self._computing: Held | None = None
        self._room = threading.Condition()
        self._bell = threading.Event()
        self._draining = threading.Event()
        self._stopped = threading.Event()
        self._desired = "active"
        self._claimer = threading.Thread(target=self._claim_jobs, name="claim", daemon=True)
        self._keeper = threading.Thread(target=self._keep, name="keep", daemon=True)

    def start(self) -> None:
        """Start the engine, take the server's name, begin to claim. Raises `NameTaken` and `ServantDied`."""
        self._engine.start()
        self._encoder.start()
        self._presence.take(self._facts(), self._draining.wait)
        self._ledger.reclaim(self._presence.server_id, self._presence.incarnation)
        self._remove_leftovers()
        self._keeper.start()
        self._claimer.start()

    def _remove_leftovers(self) -> None:
        """Remove the scratch folders of earlier holders of this name, which are dead by now."""
        name = self._scratch.name.rpartition("-")[0]
        for folder in self._scratch.parent.glob(f"{glob.escape(name)}-????????"):
            if folder != self._scratch:
                shutil.rmtree(folder, ignore_errors=True)

    def ring(self) -> None:
        """There may be work."""
        self._bell.set()

    def drain(self) -> None:
        """Claim nothing more; from any thread."""
        self._draining.set()
        self._bell.set()
        with self._room:
            self._room.notify_all()

    def stop(self) -> None:
        """Drain, let running jobs finish within the grace, hand back the rest, and leave."""
        self.drain()
        self._claimer.join()  # it may be at a claim, which must be counted before we look for idleness
        if not self._wait_idle(self._settings.grace_seconds):
            for held in list(self._held.values()):
                log.info("job %s is handed back", held.job.id)
                self._execution.preempt(held)
            self._wait_idle(self._settings.grace_seconds)
        self._stopped.set()
        self._ledger.close()
        self._keeper.join(timeout=10)
        self._engine.stop()
        self._encoder.stop()
        self._presence.leave()
        shutil.rmtree(self._scratch, ignore_errors=True)

    def _wait_idle(self, seconds: float) -> bool:
        with self._room:
            return self._room.wait_for(lambda: not self._held, timeout=seconds)

    def _claim_jobs(self) -> None:
        """Claim whenever there is room: at a bell, after a job, and every few seconds with neither."""
        while self._wait_for_room():
            self._bell.clear()
            job = self._try_claim()
            if job is None:
                self._bell.wait(self._settings.poll_seconds * random.uniform(0.75, 1.25))
                continue
            held = Held(job, self._catalog.get(job.model), self._scratch / f"{job.id}-{job.fence}")
            with self._room:
                self._held[held.ticket] = self._computing = held
            threading.Thread(target=self._run, args=[held], name=job.id, daemon=True).start()

    def _wait_for_room(self) -> bool:
        def room() -> bool:
            return self._draining.is_set() or (self._computing is None and len(self._held) < FINISHING)

        with self._room:
            self._room.wait_for(room)
        return not self._draining.is_set()

    def _try_claim(self) -> Job | None:
        if self._presence.skewed or self._desired != "active":
            return None
        try:
            self._engine.start()
        except ServantDied as error:
            log.error("%s", error)
            return None
        claimant = Claimant(
            server_id=self._presence.server_id,
            incarnation=self._presence.incarnation,
            models=self._serves,
            resident=self._execution.resident,
            dedicated=self._dedicated,
        )
        try:
            return self._ledger.claim(claimant)
        except Exception as error:
            if not is_away(error):
                log.exception("claim")
            else:
                log.warning("the database is away: %s", error)
            return None

    def _run(self, held: Held) -> None:
        try:
            self._execution.run(held, on_computed=lambda: self._computed(held))
        except Exception:
            # The claim stays ours on paper; its lease runs out and upkeep hands the job on.
            log.exception("job %s", held.job.id)
        finally:
            self._computed(held)
            with self._room:
                del self._held[held.ticket]
                self._room.notify_all()
            shutil.rmtree(held.folder, ignore_errors=True)

    def _computed(self, held: Held) -> None:
        """The device is free for the next job."""
        with self._room:
            if self._computing is held:
                self._computing = None
                self._room.notify_all()
        self._listen(True)

    def _keep(self) -> None:
        """Renew leases, beat for the server, and stop taking bells while the device is busy."""
        tick = min(1.0, self._settings.renew_seconds / 4, self._settings.server_lease_seconds / 8)
        beaten = 0.0
        while not self._stopped.wait(tick):
            now = time.monotonic()
            for held in list(self._held.values()):
                if now - held.renewed >= self._settings.renew_seconds:
                    self._renew(held)
            if now - beaten >= self._settings.server_lease_seconds / 4:
                beaten = now
                self._beat()
            computing = self._computing
            if computing is not None and now - computing.claimed > BUSY_SECONDS:
                self._listen(False)

    def _renew(self, held: Held) -> None:
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
        try:
            self._desired = self._presence.beat(self._facts())
        except NameLost as error:
            log.error("%s: leaving", error)
            for held in list(self._held.values()):
                self._execution.abandon(held)
            self.drain()
            self._leave()
        except Exception as error:
            log.warning("no heartbeat: %s", error)

    def _facts(self) -> ServerFacts:
        computing, ready = self._computing, self._engine.ready
        state = "draining" if self._draining.is_set() else "busy" if computing else "idle"
        return ServerFacts(
            state="clock_skewed" if self._presence.skewed else state,
            device=ready.device,
            memory_total=ready.memory_total,
            memory_used=self._execution.memory_used,
            serves=self._serves,
            resident=self._execution.resident,
            current_job=computing.job.id if computing else None,
            dedicated=self._dedicated,
            versions=ready.versions,
        )
