"""Watch of the weights folder: a model that is fetched while the worker runs is served without a restart."""

import logging
import threading
from collections.abc import Callable

from core.settings import Settings
from pipelines.catalog.licenses import read_allowed
from pipelines.weights.local_lock import read_locks
from pipelines.weights.verify import missing, weights_folder
from workers.gpu.server.offer import ServerOffer

log = logging.getLogger(__name__)

LOOK_SECONDS = 5.0


class WeightsWatch:
    """A thread that compares names and sizes with the locks, and adds to the offer what is complete.

    It has a thread of its own, since a network's file system may not answer. `subscribe` is called with the models that
    are about to be added, so that a doorbell for one of them rings here from the first moment, `on_change` with them
    once they were. None is taken away: what is loaded needs no file, and a file system may be away for a while.
    """

    def __init__(
        self,
        settings: Settings,
        offer: ServerOffer,
        on_change: Callable[[tuple[str, ...]], None],
        seconds: float = LOOK_SECONDS,
        *,
        subscribe: Callable[[tuple[str, ...]], None] = lambda models: None,
    ) -> None:
        self._settings = settings
        self._offer = offer
        self._on_change = on_change
        self._subscribe = subscribe
        self._seconds = seconds
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="weights", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Look no more; returns at once."""
        self._stopped.set()

    def look(self) -> None:
        """Look once. Raises what the file system does, and `ValueError` for a lock that cannot be read."""
        offer, settings = self._offer, self._settings
        absent = [spec for spec in offer.catalog.models if spec.id not in offer.models]
        if not absent:
            return
        folder, allowed = weights_folder(settings.weights_dir), read_allowed(settings.allowed_licenses)
        lock = read_locks(settings.weights_lock, folder, offer.catalog)
        found = tuple(spec.id for spec in absent if missing(spec, lock, folder, allowed) is None)
        if found:
            log.info("weights: served from now on models=%s", ",".join(found))
            self._subscribe(found)
            offer.add(found)
            self._on_change(found)

    def _run(self) -> None:
        said = ""
        while not self._stopped.wait(self._seconds):
            reason = ""
            try:
                self.look()
            except Exception as error:  # whatever it is, it may be over at the next look
                reason = str(error) or type(error).__name__
            if reason not in ("", said):
                log.warning("weights: not looked at reason=%r", reason)
            said = reason
