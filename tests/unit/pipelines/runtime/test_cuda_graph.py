"""A repeated step on a GPU whose driver is made up: taken once, recorded, and launched from then on."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import pytest
import torch

from pipelines.runtime.cuda_graph import GraphedStep


class Stream:
    def wait_stream(self, other: "Stream") -> None:
        return


class Gpu:
    """`torch.cuda` as far as graphs need it. A step that runs while a graph is recorded is not taken."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.error: Exception | None = None
        self.reserved = 100
        self._is_recording = False

    def step(self) -> None:
        if not self._is_recording:
            self.log.append("step")
        elif self.error:
            raise self.error
        else:
            self.log.append("record")
            self.reserved += 30

    @contextmanager
    def graph(self, graph: object, capture_error_mode: str) -> Iterator[None]:
        assert "thread_local" == capture_error_mode
        self.reserved -= 50  # torch empties its cache first
        self._is_recording = True
        try:
            yield
        finally:
            self._is_recording = False

    def CUDAGraph(self) -> Any:  # noqa: N802
        return self

    def replay(self) -> None:
        self.log.append("launch")


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> Gpu:
    made = Gpu()
    monkeypatch.setattr(torch.cuda, "current_stream", Stream)
    monkeypatch.setattr(torch.cuda, "Stream", Stream)
    monkeypatch.setattr(torch.cuda, "stream", lambda stream: nullcontext())
    monkeypatch.setattr(torch.cuda, "graph", made.graph)
    monkeypatch.setattr(torch.cuda, "CUDAGraph", made.CUDAGraph)
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda: made.reserved)
    return made


def test_the_first_step_is_taken_and_later_ones_are_launched(gpu: Gpu) -> None:
    step = GraphedStep(gpu.step, "cuda:0")
    for _ in range(4):
        step()
    assert ["step", "record", "launch", "launch", "launch"] == gpu.log
    assert ("", 30) == (step.defect, step.bytes)


def test_on_the_cpu_every_step_is_taken(gpu: Gpu) -> None:
    step = GraphedStep(gpu.step, "cpu")
    for _ in range(3):
        step()
    assert ["step"] * 3 == gpu.log


def test_a_step_that_cannot_be_recorded_is_taken(gpu: Gpu) -> None:
    gpu.error = RuntimeError("operation not permitted when stream is capturing")
    step = GraphedStep(gpu.step, "cuda:0")
    for _ in range(4):
        step()
    assert ["step"] * 4 == gpu.log
    assert "without a CUDA graph: RuntimeError: operation not permitted" in step.defect
    assert 0 == step.bytes


@pytest.mark.parametrize("words", ["CUDA out of memory", "CUDA error: an illegal memory access was encountered"])
def test_a_fault_of_the_device_is_raised(gpu: Gpu, words: str) -> None:
    gpu.error = RuntimeError(words)
    step = GraphedStep(gpu.step, "cuda:0")
    step()
    with pytest.raises(RuntimeError, match=words):
        step()
