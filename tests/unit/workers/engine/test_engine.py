"""The engine's answers when its device answers no more; loader, pipeline and device are made up."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from pipelines.runtime import nvml
from pipelines.runtime.device_memory import memory_used
from pipelines.runtime.protocol import RawOutput
from tests.support.gpu_worker.card import GIB, Card
from workers.engine.engine import Engine
from workers.ipc.messages import AnyMessage, Compute, Computed, Failed, Inventory, Sweep

GONE = RuntimeError("CUDA error: an illegal memory access was encountered")


class Sent:
    """The engine's end of the channel; what it sends is kept."""

    def __init__(self) -> None:
        self.messages: list[AnyMessage] = []

    def send(self, message: AnyMessage) -> None:
        self.messages.append(message)


class Device:
    """A loader with one model, on a device that works until `is_gone`."""

    def __init__(self) -> None:
        self.device = SimpleNamespace(name="cuda:0")
        self.is_gone = False

    def memory_used(self) -> int:
        if self.is_gone:
            raise GONE
        return 1000

    def free_caches(self) -> None:
        if self.is_gone:
            raise GONE

    def spec(self, model: str) -> Any:
        return SimpleNamespace(wants_cutout=False)


class Models:
    """A residency of one model that runs `run`."""

    models = ()
    host_bytes = 0

    def __init__(self, run: Callable[..., RawOutput]) -> None:
        self._pipeline = SimpleNamespace(run=run)

    @contextmanager
    def using(self, model: str, before_load: Callable[[], None]) -> Iterator[Any]:
        yield self._pipeline

    def take_evicted(self) -> tuple[str, ...]:
        return ("other",)

    def sweep(self) -> None:
        return

    def keep_only(self, model: str) -> None:
        return


@pytest.fixture
def device() -> Device:
    return Device()


def answer(device: Device, folder: Path, run: Callable[..., RawOutput]) -> Any:
    """Return the engine's answer to a job that `run` computes."""
    channel: Any = Sent()
    Engine(channel, device, Models(run))._handle(job(folder))  # type: ignore[arg-type]
    return channel.messages[-1]


def job(folder: Path) -> Compute:
    params = {"modality": "image", "prompt": "x"}
    return Compute(ticket="job-1", model="m", modality="image", params=params, seed=1, folder=str(folder / "raw"))


def works(*_: Any) -> RawOutput:
    return RawOutput(arrays={"0": np.zeros((2, 2, 3), np.uint8)})


def test_an_answer_says_what_is_in_memory(device: Device, tmp_path: Path) -> None:
    assert Inventory(memory_used=1000, evicted=("other",)) == answer(device, tmp_path, works).inventory


def test_a_device_that_is_gone_after_a_job_is_a_fault(device: Device, tmp_path: Path) -> None:
    def run(*arguments: Any) -> RawOutput:
        device.is_gone = True
        return works()

    found = answer(device, tmp_path, run)
    assert isinstance(found, Failed)
    assert (True, "job-1", ("other",)) == (found.fatal, found.ticket, found.inventory.evicted)
    assert "illegal memory access" in found.error.message


def test_an_error_that_took_the_device_along_is_a_fault(device: Device, tmp_path: Path) -> None:
    def run(*arguments: Any) -> RawOutput:
        device.is_gone = True
        raise ValueError("an error whose words say nothing of the device")

    found = answer(device, tmp_path, run)
    assert isinstance(found, Failed)
    assert found.fatal


@pytest.mark.parametrize(
    ("error", "code", "fatal"),
    [
        (ValueError("bad"), "pipeline_failed", False),
        (RuntimeError("Triton Error [CUDA]: an illegal memory access was encountered"), "pipeline_failed", True),
        (RuntimeError("cuDNN error: CUDNN_STATUS_EXECUTION_FAILED"), "pipeline_failed", True),
    ],
)
def test_an_error_is_the_jobs_or_the_devices(device, tmp_path, error, code, fatal):
    def run(*arguments):
        raise error

    found = answer(device, tmp_path, run)
    assert (code, fatal) == (found.error.code, found.fatal)


def test_a_neighbor_that_takes_memory_is_not_drift(
    device: Device, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = Card.install(monkeypatch)
    monkeypatch.setattr(nvml, "process_bytes", lambda uuid: None)
    device.memory_used = lambda: memory_used("cuda:0")  # type: ignore[method-assign]
    channel: Any = Sent()
    engine = Engine(channel, device, Models(works))  # type: ignore[arg-type]
    card.allocated = GIB
    engine._handle(job(tmp_path))
    card.neighbors = 30 * GIB
    engine._handle(job(tmp_path))
    card.allocated += 3 * GIB
    engine._handle(job(tmp_path))
    assert [0, 0, 3 * GIB] == [answered.inventory.drift for answered in channel.messages]


def test_a_sweep_on_a_device_that_is_gone_is_a_fault(device: Device) -> None:
    channel: Any = Sent()
    device.is_gone = True
    Engine(channel, device, Models(works))._handle(Sweep(ticket="ord_1"))  # type: ignore[arg-type]
    assert channel.messages[0].fatal


def test_memory_that_runs_out_in_cudnns_words_is_tried_again(device: Device, tmp_path: Path) -> None:
    tries: list[int] = []

    def run(*arguments: Any) -> RawOutput:
        tries.append(1)
        if len(tries) == 1:
            raise RuntimeError("GET was unable to find an engine to execute this computation")
        return works()

    found = answer(device, tmp_path, run)
    assert isinstance(found, Computed)
    assert (2, ("m",)) == (len(tries), found.inventory.out_of_memory)
