"""What the engine does between jobs: idle models leave, wanted ones come, and a process that leaks is replaced."""

import logging
import queue
import threading
import time
from collections.abc import Callable

import msgspec

from core.ids import new_id
from core.settings import Settings
from jobs.server_commands import Preload, Unload
from pipelines.catalog.loader import Catalog
from pipelines.catalog.spec import Deadlines
from workers.ipc.child_process import ChildProcess, ChildProcessDied, StageOverran
from workers.ipc.messages import EngineCommand, EngineRequest, Failed, Sweep

log = logging.getLogger(__name__)

LONGEST_PAUSE = 5.0
PIN_TRIES = 4
"""Loads of a pinned model that may fail in a row before it is given up."""


def preloaded(settings: Settings) -> list[str]:
    """Ids of the models that are to be in memory from the start."""
    return [name.strip() for name in settings.preload.split(",") if name.strip()]


class Pin(msgspec.Struct, frozen=True):
    """A model that is to stay: how often in a row it could not be loaded, and when it is tried next (monotonic)."""

    failures: int = 0
    due: float = 0.0

    def after_failure(self, backoff: float) -> "Pin":
        """The pause doubles each time."""
        return Pin(self.failures + 1, time.monotonic() + backoff * 2.0**self.failures)


class EngineMaintenance:
    """A thread that gives the engine its orders one by one; each waits for the job that is computing.

    `tell()` is called when an order has changed which models are in memory.
    """

    def __init__(self, settings: Settings, catalog: Catalog, engine: ChildProcess, tell: Callable[[], None]) -> None:
        self._settings = settings
        self._catalog = catalog
        self._engine = engine
        self._tell = tell
        self._pins = {model: Pin() for model in preloaded(settings)}
        """Models that are to be in memory whatever becomes of the engine, in order."""
        self._orders: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._loading = threading.Event()
        if self._pins:
            self._loading.set()
        self._stopped = threading.Event()
        self._ticket = ""
        self._thread = threading.Thread(target=self._run, name="housekeeping", daemon=True)

    @property
    def is_loading(self) -> bool:
        """Whether the engine is being kept busy with models that no job has asked for; others may take jobs sooner."""
        return self._loading.is_set()

    def start(self) -> None:
        """Begin: models that are to stay are loaded first."""
        self._thread.start()

    def stop(self) -> None:
        """Take no further order, and end the engine under one that is being carried out; nobody waits for that."""
        self._stopped.set()
        self._orders.put(lambda: None)
        self._engine.abort(self._ticket)

    def preload(self, model: str, pin: bool) -> None:
        """Bring a model into memory, to stay there if it is pinned; from any thread, and returns at once."""
        self._loading.set()
        self._orders.put(lambda: self._preload(model, pin))

    def unload(self, model: str | None) -> None:
        """Send a model away, or all of them, even pinned ones; from any thread, and returns at once."""
        self._orders.put(lambda: self._unload(model))

    def recycle(self) -> None:
        """A fresh engine before the next job; from any thread, and returns at once."""
        self._orders.put(self._engine.recycle)

    def _run(self) -> None:
        pause = min(LONGEST_PAUSE, self._settings.idle_unload_seconds / 4 or LONGEST_PAUSE)
        tidied = time.monotonic()
        while not self._stopped.is_set():
            self._carry_out(self._bring_pinned)
            if self._orders.empty():
                self._loading.clear()
            self._carry_out(self._next_order(pause))
            if time.monotonic() - tidied >= pause:
                tidied = time.monotonic()
                self._carry_out(self._sweep)

    def _carry_out(self, order: Callable[[], None]) -> None:
        """This thread must outlive whatever goes wrong with one order."""
        try:
            order()
        except (ChildProcessDied, StageOverran) as error:
            log.error("%s", error)
        except Exception:
            log.exception("housekeeping")

    def _next_order(self, seconds: float) -> Callable[[], None]:
        try:
            return self._orders.get(timeout=seconds)
        except queue.Empty:
            return lambda: None

    def _bring_pinned(self) -> None:
        """A fresh engine has none of them. One that can not be loaded is tried again after a while, some times."""
        there = {model.id for model in self._engine.inventory.models if model.pinned}
        due = [model for model, pin in self._pins.items() if model not in there and time.monotonic() >= pin.due]
        for model in due:
            if self._stopped.is_set():
                return
            try:
                brought = self._ask(EngineCommand(command=Preload(model, pin=True)))
            except (ChildProcessDied, StageOverran) as error:
                log.error("%s: %s", model, error)
                brought = False
            pin = Pin() if brought else self._pins[model].after_failure(self._settings.retry_backoff)
            if pin.failures < PIN_TRIES:
                self._pins[model] = pin
            else:
                log.error("%s could not be loaded %d times: it is not kept any more", model, pin.failures)
                del self._pins[model]

    def _sweep(self) -> None:
        if self._engine.pid is None:
            return
        if self._engine.inventory.models or self._engine.inventory.drift:
            self._ask(Sweep())
        drift = self._engine.inventory.drift
        if drift > self._settings.drift_bytes:
            log.warning("the engine has grown by %.1f GB that no model accounts for: a fresh one", drift / 1e9)
            self._engine.recycle("drift")

    def _preload(self, model: str, pin: bool) -> None:
        if pin:
            self._pins[model] = Pin()  # and it is brought before the next order
        else:
            self._ask(EngineCommand(command=Preload(model)))

    def _unload(self, model: str | None) -> None:
        for name in [name for name in self._pins if model in (None, name)]:
            del self._pins[name]
        self._ask(EngineCommand(command=Unload(model)))

    def _ask(self, request: EngineRequest) -> bool:
        """Whether the engine did it. Raises `ChildProcessDied` and `StageOverran`."""
        model = request.command.model if isinstance(request, EngineCommand) else None
        before = self._engine.inventory.models
        deadlines = self._catalog.get(model).deadlines if model else Deadlines()
        self._ticket = new_id("ord")
        answer = self._engine.request(msgspec.structs.replace(request, ticket=self._ticket), deadlines)
        if self._engine.inventory.models != before:
            self._tell()
        if isinstance(answer, Failed):
            log.error("%s: %s: %s", request, answer.error.code, answer.error.message)
        return not isinstance(answer, Failed)
