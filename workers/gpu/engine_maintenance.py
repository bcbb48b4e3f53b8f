"""The engine's work between jobs: idle models leave, wanted ones come, and a process that leaks is replaced."""

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
from pipelines.runtime.host_memory import available_memory
from workers.ipc.child_process import ChildProcess, ChildProcessDied, StageOverran
from workers.ipc.messages import EngineCommand, EngineRequest, Failed, Sweep

log = logging.getLogger(__name__)

LONGEST_PAUSE = 5.0
PIN_TRIES = 4
"""Loads of a pinned model that may fail in a row before it is given up."""
SPARE_BYTES = 2**33
"""Memory that has to be available for a spare engine: several times what the libraries take."""


def preloaded(settings: Settings) -> list[str]:
    """Return the ids of the models that are to be in memory from the start."""
    return [name.strip() for name in settings.preload.split(",") if name.strip()]


class Pin(msgspec.Struct, frozen=True):
    """A model that is to stay: its failures to load in a row, and when it is tried next (monotonic seconds)."""

    failures: int = 0
    due: float = 0.0

    def after_failure(self, backoff: float) -> "Pin":
        """Return the pin with one failure more; the pause before the next try doubles each time."""
        return Pin(self.failures + 1, time.monotonic() + backoff * 2.0**self.failures)


class EngineMaintenance:
    """A thread that gives the engine tasks one by one; each waits for the job that computes.

    `on_change()` is called when a task has changed which models are in memory.
    """

    def __init__(
        self, settings: Settings, catalog: Catalog, engine: ChildProcess, on_change: Callable[[], None]
    ) -> None:
        self._settings = settings
        self._catalog = catalog
        self._engine = engine
        self._on_change = on_change
        self._pins = {model: Pin() for model in preloaded(settings)}
        """Models that a fresh engine is to load again, in order."""
        self._tasks: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._loading = threading.Event()
        if self._pins:
            self._loading.set()
        self._stopped = threading.Event()
        self._ticket = ""
        self._thread = threading.Thread(target=self._run, name="maintenance", daemon=True)

    @property
    def is_loading(self) -> bool:
        """Whether the engine loads models that no job has asked for, so that other servers can run jobs sooner."""
        return self._loading.is_set()

    def start(self) -> None:
        """Begin; pinned models are loaded first."""
        self._thread.start()

    def stop(self) -> None:
        """Start no further task, and end the engine under the present one; returns at once."""
        self._stopped.set()
        self._tasks.put(lambda: None)
        self._engine.abort(self._ticket)

    def preload(self, model: str, pin: bool) -> None:
        """Bring a model into memory, to stay there if it is pinned; from any thread, and returns at once."""
        self._loading.set()
        self._tasks.put(lambda: self._preload(model, pin))

    def unload(self, model: str | None) -> None:
        """Send a model out of memory, or all of them, even pinned ones; from any thread, and returns at once."""
        self._tasks.put(lambda: self._unload(model))

    def recycle(self) -> None:
        """Replace the engine before the next job; from any thread, and returns at once."""
        self._tasks.put(self._engine.recycle)

    def _run(self) -> None:
        pause = min(LONGEST_PAUSE, self._settings.idle_unload_seconds / 4 or LONGEST_PAUSE)
        swept_at = time.monotonic()
        while not self._stopped.is_set():
            self._carry_out(self._load_pinned)
            if self._tasks.empty():
                self._loading.clear()
            self._carry_out(self._next_task(pause))
            if time.monotonic() - swept_at >= pause:
                swept_at = time.monotonic()
                self._carry_out(self._sweep)
                self._carry_out(self._keep_spare)

    def _carry_out(self, task: Callable[[], None]) -> None:
        """Do one task; this thread outlives whatever goes wrong with it."""
        try:
            task()
        except (ChildProcessDied, StageOverran) as error:
            log.error("maintenance: failed reason=%r", str(error))
        except Exception:
            log.exception("maintenance: failed")

    def _next_task(self, seconds: float) -> Callable[[], None]:
        try:
            return self._tasks.get(timeout=seconds)
        except queue.Empty:
            return lambda: None

    def _load_pinned(self) -> None:
        """Load the pinned models that a fresh engine lacks; one that fails is tried again later, `PIN_TRIES` times."""
        loaded = {model.id for model in self._engine.inventory.models if model.pinned}
        due = [model for model, pin in self._pins.items() if model not in loaded and time.monotonic() >= pin.due]
        for model in due:
            if self._stopped.is_set():
                return
            try:
                is_loaded = self._request(EngineCommand(command=Preload(model, pin=True)))
            except (ChildProcessDied, StageOverran) as error:
                log.error("preload: failed model=%s reason=%r", model, str(error))
                is_loaded = False
            pin = Pin() if is_loaded else self._pins[model].after_failure(self._settings.retry_backoff)
            if pin.failures < PIN_TRIES:
                self._pins[model] = pin
            else:
                log.error("preload: given up, no longer pinned model=%s failures=%d", model, pin.failures)
                del self._pins[model]

    def _sweep(self) -> None:
        if self._engine.pid is None:
            return
        if self._engine.inventory.models or self._engine.inventory.drift:
            self._request(Sweep())
        drift = self._engine.inventory.drift
        if drift > self._settings.drift_bytes:
            log.warning("engine: replaced, memory grew that no model accounts for bytes=%d", drift)
            self._engine.recycle("drift")

    def _keep_spare(self) -> None:
        """See to a spare engine, whose imports are done when this one dies.

        There is none on the CPU, where engines seldom die and models are in the same memory.
        """
        is_wanted = self._settings.spare_engine and self._engine.ready.device != "cpu"
        if is_wanted and not self._engine.has_spare and available_memory() >= SPARE_BYTES:
            self._engine.keep_spare()

    def _preload(self, model: str, pin: bool) -> None:
        if pin:
            self._pins[model] = Pin()  # loaded before the next task
        else:
            self._request(EngineCommand(command=Preload(model)))

    def _unload(self, model: str | None) -> None:
        for name in [name for name in self._pins if model in (None, name)]:
            del self._pins[name]
        self._request(EngineCommand(command=Unload(model)))

    def _request(self, request: EngineRequest) -> bool:
        """Return whether the engine did it. Raises `ChildProcessDied` and `StageOverran`."""
        model = request.command.model if isinstance(request, EngineCommand) else None
        before = self._engine.inventory.models
        deadlines = self._catalog.get(model).deadlines if model else Deadlines()
        self._ticket = new_id("ord")
        answer = self._engine.request(msgspec.structs.replace(request, ticket=self._ticket), deadlines)
        if self._engine.inventory.models != before:
            self._on_change()
        if isinstance(answer, Failed):
            log.error("engine: %s code=%s reason=%r", request, answer.error.code, answer.error.message)
        return not isinstance(answer, Failed)
