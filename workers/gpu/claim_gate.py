"""Whether this server may claim jobs.

What counts is what the operator wants, its clock, its models, its object store and the end of the process.
"""

import threading

from workers.gpu.engine_maintenance import EngineMaintenance
from workers.gpu.server.lease import ServerLease
from workers.store_watch import StoreWatch


class ClaimGate:
    """Open while a claim is allowed; the heartbeat writes `desired`, any thread may drain."""

    def __init__(self, lease: ServerLease, maintenance: EngineMaintenance, store_watch: StoreWatch) -> None:
        self._lease = lease
        self._maintenance = maintenance
        self._store_watch = store_watch
        self._draining = threading.Event()
        self.desired = "active"
        """What an operator wants of this server: active, cordoned or draining."""

    @property
    def is_open(self) -> bool:
        """Whether a job may be claimed now."""
        is_able = self.desired == "active" and not self._lease.skewed and not self.is_draining
        return is_able and not self._maintenance.is_loading and not self._store_watch.is_away

    @property
    def is_draining(self) -> bool:
        """Whether the process will end, so that nothing is claimed any more."""
        return self._draining.is_set()

    def drain(self) -> None:
        """Close for good."""
        self._draining.set()

    def wait_for_drain(self, seconds: float) -> bool:
        """Pause; returns whether the gate is closed for good, and at once when it is."""
        return self._draining.wait(seconds)
