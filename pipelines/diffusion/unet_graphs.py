"""CUDA graphs of a UNet: a step is one launch instead of thousands, whose host work takes longer than the GPU's."""

import logging
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import torch

from pipelines.runtime.cuda_graph import GraphedStep
from pipelines.runtime.torch_errors import is_out_of_memory

log = logging.getLogger(__name__)

LIMIT = 4
"""Graphs of a model at a time: the shapes used last. Each keeps the activations of one evaluation."""

Arguments = tuple[tuple[Any, ...], dict[str, Any]]


class UNetGraphs:
    """The graphs of one UNet, whose calls go through them: one for each choice of LoRAs, shape, dtype and layout.

    A graph has addresses of the weights, so `free` them before those move. Results are those of the UNet itself. A call
    whose arguments are more than tensors, flags and names is passed on, since a number would be the same in each step.
    """

    def __init__(self, unet: Any, device: str, limit: int = LIMIT) -> None:
        self.loras: object = ()
        """The LoRAs that are on, with their weights: they change what a step does."""
        self._device = device
        self._limit = limit
        self._forward: Callable[..., Any] = unet.forward
        self._graphs = OrderedDict[object, _GraphedCall | None]()
        unet.forward = self._call

    @property
    def bytes(self) -> int:
        """Bytes of the device that all graphs keep."""
        return sum(graph.step.bytes for graph in self._graphs.values() if graph)

    @property
    def warnings(self) -> tuple[str, ...]:
        """See `pipelines.runtime.protocol.Pipeline`."""
        defects = [graph.step.defect for graph in self._graphs.values() if graph and graph.step.defect]
        return tuple(defects[-1:])

    def free(self) -> None:
        """Free all graphs; not in the midst of a step."""
        self._graphs.clear()

    def _call(self, *args: Any, **named: Any) -> Any:
        """Take a step; as it is where a graph does not fit into memory."""
        arguments: Arguments = args, named
        graph = self._graph_of(arguments)
        if graph is not None:
            try:
                return graph(arguments)
            except Exception as error:
                if not is_out_of_memory(error):
                    raise
                log.warning("graph: no memory for one: %s", error)
            # Not inside the handler, whose traceback would keep the tensors of the first attempt alive.
            self.free()
            self._graphs[self._key(arguments)] = None
        return self._forward(*args, **named)

    def _graph_of(self, arguments: Arguments) -> "_GraphedCall | None":
        """Return the graph for these arguments, which need not be recorded yet; `None` where there is to be none."""
        if arguments[1].get("return_dict") is not False:
            return None
        try:
            key = self._key(arguments)
        except _NotGraphable:
            return None
        if key not in self._graphs:
            self._graphs[key] = _GraphedCall(self._forward, arguments, self._device)
        self._graphs.move_to_end(key)
        while len(self._graphs) > self._limit:
            self._graphs.popitem(last=False)
        return self._graphs[key]

    def _key(self, arguments: Arguments) -> object:
        """Return what a graph depends on. Raises `_NotGraphable`."""
        return self.loras, repr(_each(arguments, lambda one: (one.shape, one.stride(), one.dtype)))


class _NotGraphable(Exception):
    """An argument that a graph would not see change."""


class _GraphedCall:
    """Calls of a function with arguments of one kind."""

    def __init__(self, function: Callable[..., Any], arguments: Arguments, device: str) -> None:
        self._fixed = _FixedCall(function, arguments)
        self.step = GraphedStep(self._fixed, device)  # without a cycle, so that both are freed at once

    def __call__(self, arguments: Arguments) -> Any:
        """Return the function's result, in tensors that the next call leaves alone."""
        for fixed, given in zip(self._fixed.inputs, _tensors(arguments), strict=True):
            fixed.copy_(given)
        self.step()
        return _each(self._fixed.made, torch.clone)


class _FixedCall:
    """A call of a function with tensors at fixed addresses: `inputs`, in the order of `_tensors`."""

    def __init__(self, function: Callable[..., Any], arguments: Arguments) -> None:
        # All on one device: a step's number may be in host memory, where a graph would not look at it again.
        place = _tensors(arguments)[0].device
        self.inputs = [tensor.to(place, copy=True) for tensor in _tensors(arguments)]
        left = iter(self.inputs)
        self.made: Any = None
        self._function = function
        self._arguments: Arguments = _each(arguments, lambda _: next(left))

    def __call__(self) -> None:
        args, named = self._arguments
        self.made = self._function(*args, **named)


def _tensors(arguments: Arguments) -> list[torch.Tensor]:
    found = list[torch.Tensor]()
    _each(arguments, found.append)
    return found


def _each(value: Any, change: Callable[[torch.Tensor], Any]) -> Any:
    """Return the same collections with every tensor changed. Raises `_NotGraphable`."""
    if isinstance(value, torch.Tensor):
        return change(value)
    if isinstance(value, dict):
        return {name: _each(one, change) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_each(one, change) for one in value)
    if value is None or isinstance(value, bool | str):
        return value
    raise _NotGraphable
