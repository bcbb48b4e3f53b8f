"""The heartbeat: renews the server's lease and reads what the operator wants of this server."""

import logging
import threading
import time
from collections.abc import Callable

from jobs.wire.servers import ServerFacts
from workers.gpu.claim_gate import ClaimGate
from workers.gpu.server.lease import ServerIdLost, ServerLease

log = logging.getLogger(__name__)


class Heartbeat:
    """Beats every `interval` seconds, or as soon as it is asked to; `describe` returns the facts that it writes.

    `on_change` is called when the operator wants another state, `on_loss` when another worker has taken the name.
    """

    def __init__(
        self,
        lease: ServerLease,
        gate: ClaimGate,
        interval: float,
        *,
        describe: Callable[[], ServerFacts],
        on_change: Callable[[], None],
        on_loss: Callable[[], None],
    ) -> None:
        self._lease = lease
        self._gate = gate
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
        """Beat, if it is time to."""
        if not self._asked.is_set() and time.monotonic() - self._beaten_at < self._interval:
            return
        self._asked.clear()
        self._beaten_at = time.monotonic()
        try:
            self._beat()
        except ServerIdLost as error:
            log.error("heartbeat: name lost, leaving reason=%r", str(error))
            self._on_loss()
        except Exception as error:
            log.warning("heartbeat: failed reason=%r", str(error))

    def _beat(self) -> None:
        before, desired = self._gate.desired, self._lease.beat(self._describe())
        if desired == before:
            return
        self._gate.desired = desired
        log.info("server: desired=%s before=%s", desired, before)
        self._lease.beat(self._describe())  # the first one still showed the state of before
        self._on_change()
