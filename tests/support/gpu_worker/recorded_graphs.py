"""CUDA graphs on the CPU: a recording keeps operators with the tensors that they read and wrote; a launch repeats them.

As on a GPU, a launch sees what lies at the same addresses now, and no Python runs: what Python computed is that of the
recording for good.
"""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

GRAPH_BYTES = 1000
"""What each graph takes of the device."""


class _Recorder(TorchDispatchMode):
    def __init__(self) -> None:
        super().__init__()
        self.operators = list[tuple[Any, Any, Any, Any]]()

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = function(*args, **(kwargs or {}))
        self.operators.append((function, args, kwargs or {}, made))
        return made


class RecordedGraph:
    """`torch.cuda.CUDAGraph` as far as `GraphedStep` needs it."""

    def __init__(self, graphs: "RecordedGraphs") -> None:
        self._graphs = graphs
        self.operators = list[tuple[Any, Any, Any, Any]]()
        graphs.alive += 1

    def replay(self) -> None:
        self._graphs.launches += 1
        for function, args, kwargs, made in self.operators:
            for old, new in zip(tree_leaves(made), tree_leaves(function(*args, **kwargs)), strict=True):
                if isinstance(old, torch.Tensor) and old.numel() and old.data_ptr() != new.data_ptr():
                    old.copy_(new)

    def __del__(self) -> None:
        self._graphs.alive -= 1


class RecordedGraphs:
    """`torch.cuda`, as far as graphs need it, with `alive` graphs now and `launches` so far."""

    def __init__(self) -> None:
        self.alive = self.launches = 0
        self.error: Exception | None = None
        """Raised by each recording."""
        self._reserved = 0

    @contextmanager
    def graph(self, graph: RecordedGraph, capture_error_mode: str) -> Iterator[None]:
        with _Recorder() as recorder:
            yield
        if self.error:
            raise self.error
        graph.operators = recorder.operators
        self._reserved += GRAPH_BYTES

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Take the place of `torch.cuda` for one test."""
        monkeypatch.setattr(torch.cuda, "current_stream", _Stream)
        monkeypatch.setattr(torch.cuda, "Stream", _Stream)
        monkeypatch.setattr(torch.cuda, "stream", lambda stream: nullcontext())
        monkeypatch.setattr(torch.cuda, "graph", self.graph)
        monkeypatch.setattr(torch.cuda, "CUDAGraph", lambda: RecordedGraph(self))
        monkeypatch.setattr(torch.cuda, "memory_reserved", lambda: self._reserved)


class _Stream:
    def wait_stream(self, other: "_Stream") -> None:
        return
