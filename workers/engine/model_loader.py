"""The loader of models from disk onto the engine's device, for `workers.engine.residency`."""

import gc
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

from core.settings import Settings
from jobs.params.registry import Modality
from pipelines.catalog.licenses import read_allowed, refuse_license
from pipelines.catalog.loader import Catalog
from pipelines.catalog.spec import ModelSpec
from pipelines.runtime import device as runtime
from pipelines.runtime import device_memory
from pipelines.runtime.host_memory import host_memory
from pipelines.runtime.protocol import Pipeline
from pipelines.runtime.registry import pipeline_class
from pipelines.weights.hash_cache import HashCache
from pipelines.weights.lockfile import Lock
from pipelines.weights.verify import servable, verifying, weights_folder
from workers.engine.residency import MemoryLimits

if TYPE_CHECKING:
    from pipelines.memory.offload import Offload
    from pipelines.memory.pinned_pool import HostMemory, PinnedPool
    from pipelines.memory.staging import StagingBlocks
    from pipelines.memory.weight_loader import WeightLoader

DEVICE_SHARE, HOST_SHARE = 0.9, 0.5
"""Shares of the device's and of the machine's memory that models may take, unless the settings say otherwise. What
jobs take comes on top (`workers.engine.working_memory`)."""


def limits_of(settings: Settings, device: runtime.Device) -> MemoryLimits:
    """Return the limits of memory: those of the settings, else shares of the machine's."""
    host = host_share(1) if device.name != "cpu" else 0
    return MemoryLimits(
        device=settings.vram_budget or round(DEVICE_SHARE * device.memory_total),
        host=host if settings.host_budget < 0 else settings.host_budget,
        idle_unload=settings.idle_unload_seconds,
        idle_drop=settings.idle_drop_seconds,
    )


def host_share(workers: int) -> int:
    """Return the bytes of host memory for master copies of each of so many workers on this machine."""
    return round(HOST_SHARE * host_memory() / workers)


class LoadedPipeline:
    """A `residency.LoadedModel`: a pipeline, and its weights where its modules allow to move them."""

    def __init__(
        self,
        pipeline: Pipeline,
        weight_loader: "WeightLoader | None",
        taken: int,
        host_memory: "HostMemory | None" = None,
    ) -> None:
        """Wrap a pipeline that took `taken` bytes of the device; its weights came through `weight_loader`."""
        self.pipeline = pipeline
        self._offload = _offload_of(pipeline, weight_loader, host_memory)
        self.bytes = self._offload.bytes if self._offload else 0
        self.size = max(self.bytes, taken)

    @property
    def has_master(self) -> bool:
        """Whether host memory holds a copy of the weights."""
        return self._offload is not None and self._offload.has_master

    @property
    def host_bytes(self) -> int:
        """See `residency.LoadedModel`."""
        return self._offload.host_bytes if self._offload else 0

    def copy_chunk(self) -> bool:
        """See `residency.LoadedModel`."""
        return self._offload is not None and self._offload.copy_chunk()

    @property
    def warnings(self) -> tuple[str, ...]:
        """See `residency.LoadedModel`."""
        return tuple(getattr(self.pipeline, "warnings", ()))

    def offload(self) -> None:
        """See `residency.LoadedModel`."""
        assert self._offload is not None, "a model without bytes is not offloaded"
        self._offload.offload()

    def restore(self) -> None:
        """See `residency.LoadedModel`."""
        assert self._offload is not None, "a model without bytes is not offloaded"
        self._offload.restore()

    def drop(self) -> None:
        """See `residency.LoadedModel`."""
        if self._offload is not None:
            self._offload.drop()

    def close(self) -> None:
        """See `residency.LoadedModel`."""
        self.drop()
        if self._offload is not None:
            from pipelines.memory.method_caches import clear_method_caches

            clear_method_caches()

    def is_finite(self) -> bool:
        """See `residency.LoadedModel`."""
        return self._offload is None or self._offload.is_finite()


class ModelLoader:
    """A `residency.ModelSource`: the models of the catalog, from weights that `weights.lock` lists."""

    def __init__(self, catalog: Catalog, lock: Lock, settings: Settings, hashes: HashCache | None = None) -> None:
        self.device = runtime.prepare(settings.device, settings.cpu_threads, settings.compile_cache)
        self._catalog = catalog
        self._lock = lock
        self._weights = weights_folder(settings.weights_dir)
        self._allowed = read_allowed(settings.allowed_licenses)
        self._hashes = hashes or HashCache()
        self._staging: StagingBlocks | None = None
        self._pool: PinnedPool | None = None
        if self.device.name != "cpu":
            self._prepare_host_memory(limits_of(settings, self.device).host)

    def _prepare_host_memory(self, limit: int) -> None:
        from pipelines.memory.pinned_pool import PinnedPool
        from pipelines.memory.staging import StagingBlocks

        self._staging = StagingBlocks()
        self._pool = PinnedPool(self.device.name, limit, staging=self._staging.blocks)

    def when_host_memory_is_ready(self, act: Callable[[], None]) -> None:
        """Have `act` called, in another thread, each time that more pinned memory is ready for master copies."""
        if self._pool is not None:
            self._pool.on_ready = act

    def idle(self) -> AbstractContextManager[None]:
        """Return the context in which the engine waits for a request, so that memory may be pinned."""
        return nullcontext() if self._pool is None else self._pool.idle()

    def spec(self, model_id: str) -> ModelSpec:
        """Return the catalog entry of a model. Raises `UnknownModel`."""
        return self._catalog.get(model_id)

    def first(self, modality: Modality) -> ModelSpec | None:
        """Return the first model of a modality that can be loaded here."""
        offered = servable(self._catalog, self._lock, self._weights, self._allowed)
        return next((spec for spec in offered if spec.modality == modality), None)

    def load(self, model_id: str) -> LoadedPipeline:
        """See `residency.ModelSource`. Raises `LicenseRefused`, `WeightsNotLocked` and `ModelLoadFailed`."""
        spec = self._catalog.get(model_id)
        refuse_license(spec, self._allowed)
        # Hashing takes its time: it begins before the imports.
        with verifying(spec, self._lock, self._weights, self._hashes), self._undisturbed():
            class_ = pipeline_class(spec)  # its imports stay in memory without the model, too
            before = self.memory_used()
            weight_loader = self._weight_loader(class_)
            pipeline = runtime.construct(spec, self._weights, self.device.name, weight_loader)
            taken = self.memory_used() - before
        if weight_loader is None and self.device.name != "cpu" and taken <= 0:
            taken = spec.vram_bytes  # ONNX Runtime's, say, of which the driver does not speak in a container
        return LoadedPipeline(pipeline, weight_loader, taken, self._pool)

    def _undisturbed(self) -> AbstractContextManager[None]:
        return nullcontext() if self._pool is None else self._pool.undisturbed()

    def _weight_loader(self, class_: type[Pipeline]) -> "WeightLoader | None":
        """Return the loader for a pipeline that names the modules of its weights; None, without torch, for another."""
        if not hasattr(class_, "modules"):
            return None
        from pipelines.memory.weight_loader import WeightLoader

        return WeightLoader(self.device.name, staging=self._staging)

    def estimate(self, model_id: str) -> int:
        """See `residency.ModelSource`."""
        return self._catalog.get(model_id).vram_bytes

    def memory_used(self) -> int:
        """See `residency.ModelSource`."""
        return device_memory.memory_used(self.device.name)

    def memory_free(self) -> int:
        """See `residency.ModelSource`."""
        return device_memory.memory_free(self.device.name)

    def reset_peak(self) -> int:
        """See `residency.ModelSource`."""
        return device_memory.reset_peak(self.device.name)

    def read_peak(self) -> int:
        """See `residency.ModelSource`."""
        return device_memory.read_peak(self.device.name)

    def free_caches(self) -> None:
        """See `residency.ModelSource`."""
        gc.collect()  # pipelines are full of cycles
        runtime.free_caches()

    def computes_right(self) -> bool:
        """See `residency.ModelSource`."""
        return runtime.computes_right(self.device.name)


def _offload_of(
    pipeline: Pipeline, weight_loader: "WeightLoader | None", host_memory: "HostMemory | None"
) -> "Offload | None":
    if weight_loader is None:
        return None
    from pipelines.memory.offload import Offload

    modules: Iterable[Any] = getattr(pipeline, "modules")  # noqa: B009
    return Offload(modules, weight_loader.device, uploaded=weight_loader.uploaded, host_memory=host_memory)
