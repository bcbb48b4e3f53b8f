"""Compilation of a model's repeated blocks: once, at the first run, and read from disk after that.

Shapes are left open, since every size and every prompt length is another shape. One compilation then serves nearly all
of them; fixed shapes would compile anew for each and give up after a few. Weights are arguments of the compiled code,
so a model that comes back from host memory needs no new compilation.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

log = logging.getLogger(__name__)

DENOISERS = ("transformer", "transformer_2", "unet")
BACKEND = "inductor"
"""Backend of torch.compile."""
_DYNAMO_LOG = "torch._dynamo.convert_frame"
"""Logger that reports the errors that `suppress_errors` suppresses, and the end of recompilations at their limit."""
_REASON_LENGTH = 200


class Compilation:
    """The compiled blocks of one model: which graphs are made still, and what did not go as the catalog wants it."""

    def __init__(self, pipe: Any, *, wanted: bool) -> None:
        self._is_on = wanted and compile_blocks(pipe)
        self._known = set[object]()
        self._graphs = 0
        self._failures = list[str]()
        self._reason = "" if self._is_on or not wanted else "its blocks are not known"

    @property
    def warnings(self) -> tuple[str, ...]:
        """See `pipelines.runtime.protocol.Pipeline`."""
        if self._failures:
            reason = self._failures[0]
            return (f"compiled {self._graphs} graphs; what failed {len(self._failures)} times runs as it is: {reason}",)
        return (f"is not compiled: {self._reason}",) if self._reason else ()

    def is_due(self, variant: object) -> bool:
        """Return whether a run of this variant, a way to call the model's blocks, makes graphs that are not there."""
        return self._is_on and variant not in self._known

    @contextmanager
    def run(self, variant: object) -> Iterator[None]:
        """Count the graphs that a run makes, and keep what fails; after it the variant has its graphs."""
        if not self._is_on:
            yield
            return
        before = _graphs()
        with _recorded(self._failures):
            yield
        self._graphs += _graphs() - before
        if self.is_due(variant):
            log.info("compile: graphs=%d failures=%d", self._graphs, len(self._failures))
            self._known.add(variant)
        self._reason = "" if self._graphs or self._failures else "no graph was made"


def compile_blocks(pipe: Any) -> bool:
    """Make the blocks compile at their first run; return whether there are any.

    A block that cannot be compiled runs as it is.
    """
    torch._dynamo.config.suppress_errors = True
    models = [model for model in (getattr(pipe, name, None) for name in DENOISERS) if model is not None]
    for model in models:
        try:
            model.compile_repeated_blocks(dynamic=True, backend=BACKEND)
        except ValueError as error:  # diffusers does not know its blocks
            log.warning("%s is not compiled: %s", type(model).__name__, error)
            return False
    return bool(models)


class _Recorder(logging.Handler):
    """A handler that keeps the reasons of suppressed errors, each in one line."""

    def __init__(self, reasons: list[str]) -> None:
        super().__init__(logging.WARNING)
        self._reasons = reasons

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the error of the record, or its text where it has none."""
        error = record.exc_info[1] if record.exc_info else None
        text = f"{type(error).__name__}: {error}" if error else record.getMessage()
        self._reasons.append(" ".join(text.split())[:_REASON_LENGTH])


@contextmanager
def _recorded(reasons: list[str]) -> Iterator[None]:
    recorder, logger = _Recorder(reasons), logging.getLogger(_DYNAMO_LOG)
    logger.addHandler(recorder)
    try:
        yield
    finally:
        logger.removeHandler(recorder)


def _graphs() -> int:
    """Return how many graphs this process has compiled."""
    return int(torch._dynamo.utils.counters["stats"]["unique_graphs"])
