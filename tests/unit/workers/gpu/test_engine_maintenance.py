"""What the engine is given to do between jobs, with a fake engine."""

from collections.abc import Callable, Iterator

import msgspec
import pytest

from core.settings import Settings
from jobs.job import JobError
from pipelines.catalog.loader import load_catalog
from tests.support.gpu_worker.fakes import FakeChild
from tests.support.paths import CATALOG
from tests.support.wait import until
from workers.gpu import engine_maintenance
from workers.gpu.engine_maintenance import PIN_TRIES, EngineMaintenance, Pin
from workers.ipc.child_process import ChildProcessDied
from workers.ipc.messages import EngineCommand, Failed, Inventory, Ready, Sweep

SETTINGS = Settings(idle_unload_seconds=0.04, retry_backoff=0.0)
SLOW = msgspec.structs.replace(SETTINGS, idle_unload_seconds=1000.0)
FAILED = Failed(error=JobError("gpu_out_of_memory", "too large"))

Start = Callable[[Settings], EngineMaintenance]


@pytest.fixture
def engine() -> FakeChild:
    return FakeChild()


@pytest.fixture
def changes() -> list[str]:
    """One entry per change of the models in memory."""
    return []


@pytest.fixture
def start(engine: FakeChild, changes: list[str]) -> Iterator[Start]:
    """Start the thread with these settings."""
    started: list[EngineMaintenance] = []

    def begin(settings: Settings) -> EngineMaintenance:
        maintenance = EngineMaintenance(
            settings,
            load_catalog(CATALOG),
            engine,  # type: ignore[arg-type]
            lambda: changes.append("change"),
        )
        started.append(maintenance)
        maintenance.start()
        return maintenance

    yield begin
    for maintenance in started:
        maintenance.stop()


def asked(engine: FakeChild) -> list[tuple[str, str | None]]:
    """Return what the engine was asked for, without sweeps."""
    commands = [request.command for request in engine.requests if isinstance(request, EngineCommand)]
    return [(type(command).__name__, command.model) for command in commands]


def test_requests_are_carried_out_in_their_order(engine: FakeChild, changes: list[str], start: Start) -> None:
    maintenance = start(SETTINGS)
    maintenance.preload("chaos", False)
    maintenance.preload("chaos-two", False)
    maintenance.unload("chaos")
    expected = [("Preload", "chaos"), ("Preload", "chaos-two"), ("Unload", "chaos")]
    until(lambda: expected == asked(engine))
    until(lambda: 3 == len(changes))
    maintenance.recycle()
    until(lambda: "recycle ordered" in engine.calls)


def test_no_job_is_claimed_while_models_are_loaded(engine: FakeChild, start: Start) -> None:
    maintenance = start(SETTINGS)
    until(lambda: not maintenance.is_loading)
    seen: list[bool] = []
    engine.scripts = [[lambda: seen.append(maintenance.is_loading), FAILED]]
    maintenance.preload("chaos", False)
    assert maintenance.is_loading or seen
    until(lambda: [True] == seen)
    until(lambda: not maintenance.is_loading)


def test_models_of_the_setting_are_pinned_at_the_start(engine: FakeChild, start: Start) -> None:
    maintenance = start(msgspec.structs.replace(SETTINGS, preload="chaos, chaos-two"))
    until(lambda: [("chaos", True), ("chaos-two", True)] == [(m.id, m.pinned) for m in engine.inventory.models])
    until(lambda: not maintenance.is_loading)


def test_pins_come_back_in_a_fresh_engine(engine: FakeChild, start: Start) -> None:
    maintenance = start(SETTINGS)
    maintenance.preload("chaos", True)
    until(lambda: ("chaos",) == engine.inventory.on_device)
    maintenance.recycle()
    until(lambda: [("Preload", "chaos")] * 2 == asked(engine))
    until(lambda: ("chaos",) == engine.inventory.on_device)


@pytest.mark.parametrize("model", ["chaos", None])
def test_a_model_that_was_unloaded_is_not_pinned(engine: FakeChild, start: Start, model: str | None) -> None:
    maintenance = start(SETTINGS)
    maintenance.preload("chaos", True)
    until(lambda: ("chaos",) == engine.inventory.on_device)
    maintenance.unload(model)
    maintenance.recycle()
    maintenance.preload("chaos-two", False)
    until(lambda: ("chaos-two",) == engine.inventory.on_device)
    assert [("Preload", "chaos"), ("Unload", model), ("Preload", "chaos-two")] == asked(engine)


@pytest.mark.parametrize("failure", [FAILED, ChildProcessDied("engine")])
def test_a_pin_that_cannot_be_loaded_is_given_up(
    engine: FakeChild, start: Start, failure: Failed | ChildProcessDied
) -> None:
    engine.scripts = [[failure]] * PIN_TRIES
    maintenance = start(SETTINGS)
    maintenance.preload("chaos", True)
    until(lambda: PIN_TRIES == len(engine.requests))
    maintenance.preload("chaos-two", False)
    until(lambda: ("chaos-two",) == engine.inventory.on_device)
    assert PIN_TRIES + 1 == len(asked(engine))


def test_a_pin_is_tried_again_only_when_it_is_due(engine: FakeChild, start: Start) -> None:
    engine.scripts = [[FAILED]]
    maintenance = start(msgspec.structs.replace(SETTINGS, retry_backoff=1000.0))
    maintenance.preload("chaos", True)
    until(lambda: 1 == len(engine.requests))
    maintenance.preload("chaos-two", False)
    until(lambda: ("chaos-two",) == engine.inventory.on_device)
    assert [("Preload", "chaos"), ("Preload", "chaos-two")] == asked(engine)


def test_the_pause_before_a_pin_is_tried_again_doubles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workers.gpu.engine_maintenance.time.monotonic", lambda: 100.0)
    first = Pin().after_failure(5.0)
    assert [Pin(1, 105.0), Pin(2, 110.0), Pin(3, 120.0)] == [
        first,
        second := first.after_failure(5.0),
        second.after_failure(5.0),
    ]


def test_idle_models_are_swept(engine: FakeChild, start: Start) -> None:
    maintenance = start(SETTINGS)
    maintenance.preload("chaos", False)
    until(lambda: any(isinstance(request, Sweep) for request in engine.requests))


def test_an_engine_that_leaks_is_replaced(engine: FakeChild, start: Start) -> None:
    engine.inventory = Inventory(drift=SETTINGS.drift_bytes + 1)
    start(SETTINGS)
    until(lambda: "recycle drift" in engine.calls)


def test_an_engine_that_is_not_running_is_not_swept(engine: FakeChild, start: Start) -> None:
    engine.pid, engine.inventory = None, Inventory(drift=SETTINGS.drift_bytes + 1)
    maintenance = start(SETTINGS)
    until(lambda: not maintenance.is_loading)
    maintenance.preload("chaos", False)
    until(lambda: [("Preload", "chaos")] == asked(engine))
    assert not any(isinstance(request, Sweep) for request in engine.requests)
    assert [] == engine.calls


def test_an_error_that_is_not_expected_does_not_end_the_thread(engine: FakeChild, start: Start) -> None:
    engine.scripts = [[RuntimeError("odd")]]
    maintenance = start(SLOW)
    maintenance.preload("chaos", False)
    maintenance.preload("chaos-two", False)
    until(lambda: ("chaos-two",) == engine.inventory.on_device)


def test_a_stop_ends_the_request_under_way(engine: FakeChild, start: Start) -> None:
    maintenance = start(SLOW)
    maintenance.stop()
    assert ["abort"] == engine.calls


class TestSpare:
    """Where a second engine is kept."""

    @pytest.fixture(autouse=True)
    def memory(self, monkeypatch: pytest.MonkeyPatch) -> list[int]:
        """The available memory, which a test may change."""
        found = [2**40]
        monkeypatch.setattr(engine_maintenance, "available_memory", lambda: found[0])
        return found

    def test_a_gpu_has_one(self, engine: FakeChild, start: Start) -> None:
        engine.ready = Ready(device="cuda:0")
        start(SETTINGS)
        until(lambda: "spare" in engine.calls)
        engine.has_spare = False
        until(lambda: 2 == engine.calls.count("spare"))

    @pytest.mark.parametrize(
        ("device", "settings", "available"),
        [
            ("cpu", SETTINGS, 2**40),
            ("cuda:0", msgspec.structs.replace(SETTINGS, spare_engine=False), 2**40),
            ("cuda:0", SETTINGS, engine_maintenance.SPARE_BYTES - 1),
        ],
    )
    def test_elsewhere_there_is_none(
        self, engine: FakeChild, start: Start, memory: list[int], device: str, settings: Settings, available: int
    ) -> None:
        engine.ready, memory[0] = Ready(device=device), available
        engine.inventory = Inventory(drift=1)
        start(settings)
        until(lambda: 3 < sum(isinstance(request, Sweep) for request in engine.requests))
        assert "spare" not in engine.calls
