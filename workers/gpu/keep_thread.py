"""The keep thread: short duties that are due every second or so for as long as the worker lives."""

import logging
import threading
from collections.abc import Callable, Sequence

log = logging.getLogger(__name__)

STOP_SECONDS = 10.0
"""How long a stop waits for the duties that are being done."""


class KeepThread:
    """Does its duties in their order every `tick_seconds`, and at once when it is woken."""

    def __init__(self, tick_seconds: float, duties: Sequence[Callable[[], None]]) -> None:
        self._tick_seconds = tick_seconds
        self._duties = duties
        self._stopped = threading.Event()
        self._woken = threading.Event()
        self._thread = threading.Thread(target=self._run, name="keep", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def wake(self) -> None:
        """Have the duties done at once; from any thread."""
        self._woken.set()

    def stop(self) -> None:
        """End the thread; also one that was never started."""
        self._stopped.set()
        self._woken.set()
        if self._thread.is_alive():
            self._thread.join(STOP_SECONDS)

    def _run(self) -> None:
        while True:
            self._woken.wait(self._tick_seconds)
            self._woken.clear()
            if self._stopped.is_set():
                return
            for duty in self._duties:
                try:
                    duty()
                except Exception:  # every lease depends on this thread: it must outlive whatever goes wrong once
                    log.exception("keep: failed")
