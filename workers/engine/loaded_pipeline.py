"""A pipeline in memory, whose weights can leave the device where its modules allow it."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from pipelines.runtime.protocol import Pipeline

if TYPE_CHECKING:
    from pipelines.memory.offload import Offload
    from pipelines.memory.pinned_pool import HostMemory
    from pipelines.memory.weight_loader import WeightLoader


class LoadedPipeline:
    """A `model_source.LoadedModel`: a pipeline, and its weights where its modules allow to move them."""

    def __init__(
        self,
        pipeline: Pipeline,
        weight_loader: "WeightLoader | None",
        taken: int,
        host_memory: "HostMemory | None" = None,
        missing_gpus: int = 0,
    ) -> None:
        """Wrap a pipeline that took `taken` bytes of the device; its weights came through `weight_loader`.

        `missing_gpus` are those that would compute it too, if the worker had them.
        """
        self.pipeline = pipeline
        self._missing_gpus = missing_gpus
        self._offload = _offload_of(pipeline, weight_loader, host_memory)
        self.bytes = self._offload.bytes if self._offload else 0
        self.size = max(self.bytes, taken)

    @property
    def has_master(self) -> bool:
        """Whether host memory holds a copy of the weights."""
        return self._offload is not None and self._offload.has_master

    @property
    def host_bytes(self) -> int:
        """See `model_source.LoadedModel`."""
        return self._offload.host_bytes if self._offload else 0

    def copy_chunk(self) -> bool:
        """See `model_source.LoadedModel`."""
        return self._offload is not None and self._offload.copy_chunk()

    @property
    def warnings(self) -> tuple[str, ...]:
        """See `model_source.LoadedModel`."""
        missing = self._missing_gpus
        alone = (f"is computed by 1 GPU instead of {1 + missing}: see ATELIER_PEER_DEVICES",) if missing else ()
        return (*getattr(self.pipeline, "warnings", ()), *alone)

    @property
    def graph_bytes(self) -> int:
        """See `model_source.LoadedModel`."""
        return int(getattr(self.pipeline, "graph_bytes", 0))

    def free_graphs(self) -> None:
        """See `model_source.LoadedModel`."""
        if hasattr(self.pipeline, "free_graphs"):
            self.pipeline.free_graphs()

    def offload(self) -> None:
        """See `model_source.LoadedModel`."""
        assert self._offload is not None, "a model without bytes is not offloaded"
        self.free_graphs()
        self._offload.offload()

    def restore(self) -> None:
        """See `model_source.LoadedModel`."""
        assert self._offload is not None, "a model without bytes is not offloaded"
        self._offload.restore()

    def drop(self) -> None:
        """See `model_source.LoadedModel`."""
        if self._offload is not None:
            self._offload.drop()

    def close(self) -> None:
        """See `model_source.LoadedModel`."""
        self.free_graphs()
        self.drop()
        if self._offload is not None:
            from pipelines.memory.method_caches import clear_method_caches

            clear_method_caches()

    def is_finite(self) -> bool:
        """See `model_source.LoadedModel`."""
        return self._offload is None or self._offload.is_finite()


def _offload_of(
    pipeline: Pipeline, weight_loader: "WeightLoader | None", host_memory: "HostMemory | None"
) -> "Offload | None":
    if weight_loader is None:
        return None
    from pipelines.memory.offload import Offload

    modules: Iterable[Any] = getattr(pipeline, "modules")  # noqa: B009
    return Offload(modules, weight_loader.device, uploaded=weight_loader.uploaded, host_memory=host_memory)
