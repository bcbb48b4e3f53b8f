"""What the engine does between jobs: idle models leave, wanted ones come, and a process that leaks is replaced."""

import logging
import queue
import threading
import time
from collections.abc import Callable

import msgspec

from jobs.ids import new_id
from jobs.settings import Settings
from pipelines.catalog import Catalog
from pipelines.spec import Deadlines
from workers.messages import Broke, Order, Preload, Tidy, Unload
from workers.servant import Servant, ServantDied, StageOverran

log = logging.getLogger(__name__)

LONGEST_PAUSE = 5.0


def preloaded(settings: Settings) -> list[str]:
    """Ids of the models that are to be in memory from the start."""
    return [name.strip() for name in settings.preload.split(",") if name.strip()]


class Housekeeping:
    """A thread that gives the engine its orders one by one; each waits for the job that is computing.

    `tell()` is called when an order has changed which models are in memory.
    """

    def __init__(self, settings: Settings, catalog: Catalog, engine: Servant, tell: Callable[[], None]) -> None:
        self._settings = settings
        self._catalog = catalog
        self._engine = engine
        self._tell = tell
        self._pinned = dict.fromkeys(preloaded(settings))
        """Models that are to be in memory whatever becomes of the engine, in order."""
        self._orders: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="housekeeping", daemon=True)

    def start(self) -> None:
        """Begin: models that are to stay are loaded first."""
        self._thread.start()

    def stop(self) -> None:
        """Take no further order; one that is under way ends with its engine."""
        self._stopped.set()
        self._orders.put(lambda: None)

    def preload(self, model: str, pin: bool) -> None:
        """Bring a model into memory, to stay there if it is pinned; from any thread, and returns at once."""
        self._orders.put(lambda: self._preload(model, pin))

    def unload(self, model: str | None) -> None:
        """Send a model away, or all of them, even pinned ones; from any thread, and returns at once."""
        self._orders.put(lambda: self._unload(model))

    def recycle(self) -> None:
        """A fresh engine before the next job; from any thread, and returns at once."""
        self._orders.put(self._recycle)

    def _run(self) -> None:
        pause = min(LONGEST_PAUSE, self._settings.idle_unload_seconds / 4 or LONGEST_PAUSE)
        tidied = time.monotonic()
        while not self._stopped.is_set():
            try:
                self._bring_pinned()
                self._next_order(pause)()
                if time.monotonic() - tidied >= pause:
                    tidied = time.monotonic()
                    self._tidy()
            except (ServantDied, StageOverran) as error:
                log.error("%s", error)
            except Exception:
                log.exception("housekeeping")

    def _next_order(self, seconds: float) -> Callable[[], None]:
        try:
            return self._orders.get(timeout=seconds)
        except queue.Empty:
            return lambda: None

    def _bring_pinned(self) -> None:
        """A fresh engine has none of them; one that can not be loaded is not tried for ever."""
        there = {model.id for model in self._engine.inventory.models if model.pinned}
        for model in [name for name in self._pinned if name not in there]:
            if not self._stopped.is_set() and not self._ask(Preload(model=model, pin=True)):
                del self._pinned[model]

    def _tidy(self) -> None:
        if self._engine.pid is None:
            return
        if self._engine.inventory.models:
            self._ask(Tidy())
        drift = self._engine.inventory.drift
        if drift > self._settings.drift_bytes:
            log.warning("the engine has grown by %.1f GB that no model accounts for: a fresh one", drift / 1e9)
            self._recycle()

    def _preload(self, model: str, pin: bool) -> None:
        if pin:
            self._pinned[model] = None  # and it is brought before the next order
        else:
            self._ask(Preload(model=model))

    def _unload(self, model: str | None) -> None:
        for name in [name for name in self._pinned if model in (None, name)]:
            del self._pinned[name]
        self._ask(Unload(model=model))

    def _recycle(self) -> None:
        self._engine.recycle()

    def _ask(self, order: Order) -> bool:
        """Whether the engine did it. Raises `ServantDied` and `StageOverran`."""
        model, before = getattr(order, "model", None), self._engine.inventory.models
        deadlines = self._catalog.get(model).deadlines if model else Deadlines()
        answer = self._engine.ask(
            msgspec.structs.replace(order, ticket=new_id("ord")),
            stage="load",
            deadline_of=deadlines.of,
            on_begin=lambda: None,
            on_progress=lambda report: None,
        )
        if self._engine.inventory.models != before:
            self._tell()
        if isinstance(answer, Broke):
            log.error("%s: %s: %s", order, answer.error.code, answer.error.message)
        return not isinstance(answer, Broke)
