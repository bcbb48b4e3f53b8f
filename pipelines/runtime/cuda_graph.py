"""A step that is repeated many times, as one launch on a GPU: a CUDA graph."""

import logging
from collections.abc import Callable

import torch

from pipelines.runtime.torch_errors import is_device_fault, is_out_of_memory

log = logging.getLogger(__name__)


class GraphedStep:
    """A function without arguments that does the same work at the same addresses in each call.

    On a GPU the first call runs it as it is, which loads kernels and sets up the libraries' memory; the second records
    it as a CUDA graph, and from then on a call is one launch. The function must not wait for the device. Where no graph
    can be made, and on the CPU, each call runs it as it is; `defect` says why.
    """

    def __init__(self, step: Callable[[], None], device: str) -> None:
        self.defect = ""
        self.bytes = 0
        """Bytes of the device that the graph keeps for its activations; torch counts them as free."""
        self._step = step
        self._is_graphed = device.startswith("cuda")
        self._is_warm = False
        self._graph: torch.cuda.CUDAGraph | None = None

    def __call__(self) -> None:
        """Take one step. Raises what the function raises."""
        if self._is_graphed and self._is_warm and self._graph is None:
            self._record()
        if self._graph is not None:
            self._graph.replay()
        elif self._is_graphed:
            self._warm_up()
        else:
            self._step()

    def _warm_up(self) -> None:
        """Take the step on a stream of its own, as torch asks of what a graph is to be made of.

        https://docs.pytorch.org/docs/stable/notes/cuda.html#cuda-graphs
        """
        main, side = torch.cuda.current_stream(), torch.cuda.Stream()  # type: ignore[no-untyped-call]
        side.wait_stream(main)
        with torch.cuda.stream(side):
            self._step()
        main.wait_stream(side)
        self._is_warm = True

    def _record(self) -> None:
        """Record the step, which is not taken meanwhile.

        Other threads may use the device meanwhile. The outer block gives the stream back, which a recording that fails
        keeps.
        """
        graph = torch.cuda.CUDAGraph()
        before = 0
        try:
            with (
                torch.cuda.stream(torch.cuda.current_stream()),
                torch.cuda.graph(graph, capture_error_mode="thread_local"),
            ):
                before = torch.cuda.memory_reserved()  # torch has emptied its cache by now
                self._step()
        except Exception as error:
            if is_out_of_memory(error) or is_device_fault(error):
                raise
            reason = " ".join(str(error).split())[:200]
            self.defect = f"takes its steps without a CUDA graph: {type(error).__name__}: {reason}"
            self._is_graphed = False
            log.warning("graph: none could be made", exc_info=True)
        else:
            self._graph = graph
            self.bytes = max(0, torch.cuda.memory_reserved() - before)
