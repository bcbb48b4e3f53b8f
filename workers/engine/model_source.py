"""What `workers.engine.residency` needs of a model, and of the place that models come from."""

from typing import Protocol

from pipelines.runtime.protocol import Pipeline
from workers.engine.working_memory import PeakSource


class LoadedModel(Protocol):
    """A loaded model, with its weights on the device or offloaded to host memory."""

    pipeline: Pipeline

    @property
    def size(self) -> int:
        """Measured bytes on the device."""

    @property
    def bytes(self) -> int:
        """Bytes of its master copy, if it has one; 0 for a model that cannot be offloaded."""

    @property
    def has_master(self) -> bool:
        """Whether host memory holds a copy of the weights."""

    @property
    def host_bytes(self) -> int:
        """Bytes in host memory of a copy that is complete or being made."""

    def copy_chunk(self) -> bool:
        """Copy one more part of the weights to the host; return whether host memory was ready for it."""

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the operator should know of it now: see `pipelines.runtime.protocol.Pipeline`."""

    @property
    def graph_bytes(self) -> int:
        """Bytes of the device that its CUDA graphs keep; `ModelSource.memory_free` takes them for free."""

    def free_graphs(self) -> None:
        """Free its CUDA graphs; not while it computes a step."""

    def offload(self) -> None:
        """Move the weights to the host. Raises `MemoryError` where they do not fit; they stay on the device then."""

    def restore(self) -> None:
        """Move the weights back to the device. Raises out of memory; they stay on the host then."""

    def drop(self) -> None:
        """Free the copy in host memory."""

    def close(self) -> None:
        """Free that copy, and what else would outlive the model, which is not used again."""

    def is_finite(self) -> bool:
        """Return whether no weight is NaN or infinite."""


class ModelSource(PeakSource, Protocol):
    """The source of models, and the device that they are loaded onto."""

    def load(self, model_id: str) -> LoadedModel:
        """Load a model from disk onto the device."""

    def estimate(self, model_id: str) -> int:
        """Return the bytes that the model will probably take."""

    def free_caches(self) -> None:
        """Free unreferenced memory and caches."""

    def memory_used(self) -> int:
        """Return the bytes that this process uses on the device."""

    def memory_free(self) -> int:
        """Return the bytes that can be allocated on the device; other processes take some of it."""

    def computes_right(self) -> bool:
        """Return whether the device still computes correctly."""
