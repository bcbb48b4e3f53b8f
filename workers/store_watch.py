"""The watch of the object store: whether it takes a worker's data, and why it does not."""

import logging
import threading
from collections.abc import Callable

from core.errors.unavailable import StorageUnavailable
from core.retry import Backoff
from core.storage.store import Store

log = logging.getLogger(__name__)

BACKOFF = Backoff(first=0.5, longest=50.0, jitter=0.2)
"""Pauses between checks of a store that is away; at most a minute."""
STOP_SECONDS = 1.0
"""How long a stop waits for a check that is under way."""


class StoreWatch:
    """A thread that checks a store which has refused data, until it takes data again.

    The store is away from its first refusal until a check passes. A full store is not away: it answers, and what it
    answers is the end of a job. `on_change()` is called when the store goes away and when it is back.
    """

    def __init__(self, store: Store, on_change: Callable[[], None] = lambda: None) -> None:
        self._store = store
        self._on_change = on_change
        self._lock = threading.Lock()
        self._refusal: StorageUnavailable | None = None
        self._refused = threading.Event()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="store", daemon=True)

    @property
    def is_away(self) -> bool:
        """Whether the store takes no data at present."""
        return self._refusal is not None

    @property
    def problem(self) -> str | None:
        """Why the store is away, in one word such as `NoSuchBucket` or `unreachable`; None while it takes data."""
        refusal = self._refusal
        return None if refusal is None else refusal.reason

    def start(self) -> None:
        """Check the store once, and begin to watch it."""
        self.check()
        self._thread.start()

    def stop(self) -> None:
        """End the thread; also one that was never started."""
        self._stopped.set()
        self._refused.set()
        if self._thread.is_alive():
            self._thread.join(STOP_SECONDS)

    def note_refusal(self, error: StorageUnavailable) -> None:
        """Note that the store has refused data; from any thread."""
        self._change(error)

    def check(self) -> bool:
        """Ask the store, and return whether it takes data."""
        try:
            self._store.check()
        except StorageUnavailable as error:
            self._change(None if error.full else error)
        else:
            self._change(None)
        return not self.is_away

    def _change(self, refusal: StorageUnavailable | None) -> None:
        with self._lock:
            before, self._refusal = self._refusal, refusal
            (self._refused.clear if refusal is None else self._refused.set)()
        if refusal is not None:
            if before is None or before.reason != refusal.reason:
                log.error("store: away, no job is claimed until it is back reason=%s %s", refusal.reason, refusal)
        elif before is not None:
            log.warning("store: back")
        if (before is None) != (refusal is None):
            self._on_change()

    def _run(self) -> None:
        while True:
            self._refused.wait()
            failures = 1
            while not self._stopped.wait(BACKOFF.pause(failures)):
                try:
                    if self.check():
                        break
                except Exception:  # a worker that no longer asks would never claim again
                    log.exception("store: check")
                failures += 1
            if self._stopped.is_set():
                return
