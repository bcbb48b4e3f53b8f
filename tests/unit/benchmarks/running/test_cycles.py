"""Cycles of loading and unloading, on an engine that is made up."""

from types import SimpleNamespace
from typing import Any

import pytest

from benchmarks.running import cycles
from benchmarks.running.cycles import cycle, leak
from jobs.server_commands import Preload, Unload
from jobs.wire.servers import ResidentModel
from workers.ipc.messages import Inventory


class MadeUpBench:
    """A bench whose engine keeps a model in host memory, or forgets it, once it leaves."""

    def __init__(self, goes_to: str) -> None:
        self.engine = SimpleNamespace(pid=1, inventory=Inventory())
        self.log: list[str] = []
        self._goes_to = goes_to

    def make(self, model: str, modality: str, body: dict[str, Any]) -> None:
        self.log.append("job")
        self._is("device")

    def command(self, command: Preload | Unload) -> None:
        self.log.append(type(command).__name__.lower())
        self._is("device" if isinstance(command, Preload) else self._goes_to)

    def resident_memory(self) -> int:
        return 2**20 * len(self.log)

    def _is(self, where: Any) -> None:
        models = () if where == "disk" else (ResidentModel(id="a", bytes=500, where=where, pinned=False),)
        self.engine.inventory = Inventory(models=models, memory_used=500 * (where == "device"))


def test_a_parked_model_comes_and_leaves_as_often_as_asked() -> None:
    made: Any = MadeUpBench("host")
    found = cycle(made, "a", "image", {}, 3, where="host")
    assert ["job", "unload", *["preload", "unload"] * 3, "job"] == made.log
    assert (500, [0, 0, 0]) == (found.size, found.used)
    assert [4 * 2**20, 6 * 2**20, 8 * 2**20] == found.resident
    assert 3 == len(found.coming) == len(found.leaving)


def test_a_model_stays_idle_until_its_copy_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        made._goes_to = "host" if len(slept) == 3 else "disk"

    made: Any = MadeUpBench("disk")
    monkeypatch.setattr(cycles.time, "sleep", sleep)
    assert 3 == len(cycle(made, "a", "image", {}, 3, where="host").coming)
    assert list(cycles.IDLE_SECONDS[:3]) == slept


@pytest.mark.parametrize(("goes_to", "said"), [("disk", "host"), ("host", "disk")])
def test_a_model_that_goes_elsewhere_gives_no_figures(goes_to: str, said: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """As long as `Timed` had no `modules`, each "parked" cycle was a load from disk, and nothing said so."""
    monkeypatch.setattr(cycles, "IDLE_SECONDS", (0.0, 0.0))
    made: Any = MadeUpBench(goes_to)
    with pytest.raises(AssertionError):
        cycle(made, "a", "image", {}, 3, where=said)


def test_a_leak_is_the_slope_after_the_first_cycles() -> None:
    """400 MB come with the first cycles, 2 MB with each later one."""
    found = [0, 400 * 2**20, *((500 + 2 * n) * 2**20 for n in range(5))]
    slope, grown = leak("a model", found, settling=2)
    assert 2.0 == round(slope.value, 9)
    assert 8.0 == grown.value
