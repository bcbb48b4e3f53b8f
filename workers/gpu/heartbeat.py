"""The heartbeat: keeps the server's name and its claims, writes their progress, and reads what the operator wants."""

import logging
import threading
import time
from collections.abc import Callable
from typing import Protocol

import msgspec

from core.settings import Settings
from jobs.statements.queue.beat import HeldClaim
from jobs.wire.servers import ServerFacts
from workers.gpu.job.claimed_job import ClaimedJob
from workers.gpu.server.lease import ServerIdLost, ServerLease

log = logging.getLogger(__name__)


def beat_seconds(settings: Settings) -> float:
    """Return the seconds between two beats: several fit into the shorter one of the leases that they renew."""
    return min(settings.server_lease_seconds / 4, settings.lease_seconds / 4, settings.renew_seconds)


class HoldsDesired(Protocol):
    """Where the state that the operator wants is kept: `ClaimGate`, as far as the heartbeat needs it."""

    desired: str


class HoldsJobs(Protocol):
    """The claimed jobs of a worker, as far as the heartbeat needs them."""

    @property
    def jobs(self) -> list[ClaimedJob]:
        """Every claimed job that has not ended."""


class AbandonsJobs(Protocol):
    """The canceller of a worker's jobs, as far as the heartbeat needs it."""

    def abandon(self, claimed: ClaimedJob) -> None:
        """Stop work on a job whose claim is gone."""


class Heartbeat:
    """Beats every `interval` seconds, or as soon as it is asked to; `describe` returns the facts that it writes.

    The lease of a claim is renewed while its job is wanted and the job's stage within its deadline; a job whose claim
    is gone is abandoned. `on_change` is called when the operator wants another state, `on_loss` when another worker has
    taken the name.
    """

    def __init__(
        self,
        lease: ServerLease,
        gate: HoldsDesired,
        slots: HoldsJobs,
        canceller: AbandonsJobs,
        interval: float,
        *,
        describe: Callable[[], ServerFacts],
        on_change: Callable[[], None],
        on_loss: Callable[[], None],
    ) -> None:
        self._lease = lease
        self._gate = gate
        self._slots = slots
        self._canceller = canceller
        self._interval = interval
        self._describe = describe
        self._on_change = on_change
        self._on_loss = on_loss
        self._asked = threading.Event()
        self._beaten_at = 0.0

    def ask(self) -> None:
        """Make a beat due; from any thread."""
        self._asked.set()

    def beat_if_due(self) -> None:
        """Beat, if it is time to. One that fails is due again at once."""
        now = time.monotonic()
        if not self._asked.is_set() and now - self._beaten_at < self._interval:
            return
        self._asked.clear()
        try:
            self._beat()
        except ServerIdLost as error:
            log.error("heartbeat: name lost, leaving reason=%r", str(error))
            self._on_loss()
        except Exception as error:
            log.warning("heartbeat: failed reason=%r", str(error))
            return
        self._beaten_at = now

    def _beat(self) -> None:
        before, desired = self._gate.desired, self._send()
        if desired == before:
            return
        self._gate.desired = desired
        log.info("server: desired=%s before=%s", desired, before)
        self._on_change()
        self._send()  # the first one still showed the state of before

    def _send(self) -> str:
        """Beat once; returns the state that the operator wants."""
        jobs = {claimed.ticket: claimed for claimed in self._slots.jobs if _is_to_be_kept(claimed)}
        found = self._lease.beat(self._describe(), [_held_claim(claimed) for claimed in jobs.values()])
        for ticket, event_seq in found.kept.items():
            jobs[ticket].activity.event_seq = event_seq
        for ticket in found.gone:
            self._canceller.abandon(jobs[ticket])
        return found.desired


def _is_to_be_kept(claimed: ClaimedJob) -> bool:
    return not (claimed.activity.is_overdue or claimed.cancellation.claim_is_gone)


def _held_claim(claimed: ClaimedJob) -> HeldClaim:
    job, report = claimed.job, claimed.activity.last_report
    claim = HeldClaim(ticket=claimed.ticket, job_id=job.id, fence=job.fence)
    if report is None:
        return claim
    return msgspec.structs.replace(claim, fraction=report.fraction, stage=report.stage, warnings=tuple(report.warnings))
