"""Imports of model families ahead of their first model, which take seconds: while nothing is asked of the engine."""

import logging
import os
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from core.errors.failures import ModelLoadFailed
from pipelines.catalog.spec import ModelSpec
from pipelines.runtime.registry import pipeline_class

log = logging.getLogger(__name__)

_NVML_CHECK = "PYTORCH_NVML_BASED_CUDA_CHECK"
"""Has torch ask NVML, and not CUDA, whether there is a GPU: https://docs.pytorch.org/docs/stable/notes/cuda.html"""


class FamilyImports:
    """The families of `models`, imported one at a time in this order."""

    def __init__(self, models: Iterable[ModelSpec]) -> None:
        self._left = list({spec.family: spec for spec in models}.values())

    def import_next(self) -> bool:
        """Import one more family; return whether there was one left. One that cannot be imported is passed over."""
        if not self._left:
            return False
        spec, began = self._left.pop(0), time.monotonic()
        try:
            pipeline_class(spec)
        except ModelLoadFailed as error:
            log.warning("family: not imported family=%s reason=%r", spec.family, error.detail)
        except Exception:  # a module may raise anything; its models' jobs fail by it, and no others
            log.warning("family: not imported family=%s", spec.family, exc_info=True)
        else:
            log.debug("family: imported family=%s seconds=%.1f", spec.family, time.monotonic() - began)
        return True


@contextmanager
def without_cuda() -> Iterator[None]:
    """Keep libraries that are imported in the block from initializing CUDA to see whether there is a GPU.

    A process that has asked CUDA would find no GPU that came back after it was reset.
    """
    before = os.environ.get(_NVML_CHECK)
    os.environ[_NVML_CHECK] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[_NVML_CHECK]
        else:
            os.environ[_NVML_CHECK] = before
