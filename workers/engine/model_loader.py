"""Models from disk onto this engine's device: what `workers.engine.residency` puts in its places."""

import gc
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from core.settings import Settings
from jobs.params.registry import Modality
from pipelines.catalog.licenses import read_allowed
from pipelines.catalog.loader import Catalog
from pipelines.catalog.spec import ModelSpec
from pipelines.runtime import device as runtime
from pipelines.runtime.protocol import Pipeline
from pipelines.runtime.registry import pipeline_class
from pipelines.weights.lockfile import Lock
from pipelines.weights.verify import servable, weights_folder
from workers.engine.residency import MemoryLimits

if TYPE_CHECKING:
    from pipelines.memory.offload import Offload
    from pipelines.memory.weight_loader import WeightLoader

DEVICE_SHARE, HOST_SHARE = 0.9, 0.5
"""Of the device's and of the machine's memory, where the settings leave it open. What a job computes with comes on top
of the models: a GPU that is too full for it has idle models sent away, and the job is tried once more."""


def limits_of(settings: Settings, device: runtime.Device) -> MemoryLimits:
    """The budgets, which depend on the machine where the settings leave them open."""
    host = host_share(1) if device.name != "cpu" else 0
    return MemoryLimits(
        device=settings.vram_budget or round(DEVICE_SHARE * device.memory_total),
        host=host if settings.host_budget < 0 else settings.host_budget,
        idle_unload=settings.idle_unload_seconds,
        idle_drop=settings.idle_drop_seconds,
    )


def host_share(workers: int) -> int:
    """Bytes of host memory for the master copies of each of so many workers on this machine."""
    return round(HOST_SHARE * runtime.host_memory() / workers)


class LoadedModel:
    """A pipeline, and its weights where they can be moved: those of the modules that it names."""

    def __init__(self, pipeline: Pipeline, loader: "WeightLoader | None", taken: int) -> None:
        """`taken`: bytes that the device has less of than before. `loader`: what the weights came through."""
        self.pipeline = pipeline
        self._parking = _parking(pipeline, loader)
        self.bytes = self._parking.bytes if self._parking else 0
        self.size = max(self.bytes, taken)

    @property
    def has_master(self) -> bool:
        """Whether there is a copy of the weights in host memory."""
        return self._parking is not None and self._parking.has_master

    def offload(self) -> None:
        """See `workers.engine.residency.Loaded`."""
        assert self._parking is not None, "a model without bytes is not parked"
        self._parking.offload()

    def restore(self) -> None:
        """See `workers.engine.residency.Loaded`."""
        assert self._parking is not None, "a model without bytes is not parked"
        self._parking.restore()

    def drop(self) -> None:
        """See `workers.engine.residency.Loaded`."""
        if self._parking is not None:
            self._parking.drop()

    def is_finite(self) -> bool:
        """See `workers.engine.residency.Loaded`."""
        return self._parking is None or self._parking.is_finite()


class ModelLoader:
    """A `workers.engine.residency.Shelf`: the models of the catalog, from weights that the lock vouches for."""

    def __init__(self, catalog: Catalog, lock: Lock, settings: Settings) -> None:
        self.device = runtime.prepare(settings.device, settings.cpu_threads, settings.compile_cache)
        self._catalog = catalog
        self._lock = lock
        self._weights = weights_folder(settings.weights_dir)
        self._allowed = read_allowed(settings.allowed_licenses)

    def spec(self, model_id: str) -> ModelSpec:
        """The catalog entry of a model. Raises `UnknownModel`."""
        return self._catalog.get(model_id)

    def first(self, modality: Modality) -> ModelSpec | None:
        """The first model of a modality that can be loaded here."""
        offered = servable(self._catalog, self._lock, self._weights, self._allowed)
        return next((spec for spec in offered if spec.modality == modality), None)

    def load(self, model_id: str, *, keeps: bool = False) -> LoadedModel:
        """See `workers.engine.residency.Shelf`. Raises `LicenceRefused`, `WeightsNotLocked` and `ModelLoadFailed`."""
        spec = self._catalog.get(model_id)
        class_ = pipeline_class(spec)  # what it imports stays in memory whatever becomes of the model
        before = self.memory_used()
        loader = _weight_loader(class_, self.device.name, keeps=keeps)
        pipeline = runtime.load(spec, self._weights, self._lock, self.device.name, self._allowed, loader)
        taken = self.memory_used() - before
        if loader is not None and self.device.name == "cpu":
            taken -= loader.host_bytes  # there it is the same memory
        return LoadedModel(pipeline, loader, taken)

    def estimate(self, model_id: str) -> int:
        """See `workers.engine.residency.Shelf`."""
        return self._catalog.get(model_id).vram_bytes

    def memory_used(self) -> int:
        """Bytes in use on the device."""
        return runtime.memory_used(self.device.name)

    def free_caches(self) -> None:
        """See `workers.engine.residency.Shelf`."""
        gc.collect()  # pipelines are full of cycles
        runtime.free_caches()

    def computes_right(self) -> bool:
        """See `workers.engine.residency.Shelf`."""
        return runtime.computes_right(self.device.name)


def _weight_loader(class_: type[Pipeline], device: str, *, keeps: bool) -> "WeightLoader | None":
    """For a pipeline that says which modules hold its weights; none, and torch stays away, for another."""
    if not hasattr(class_, "modules"):
        return None
    from pipelines.memory.weight_loader import WeightLoader

    return WeightLoader(device, keep_host_copy=keeps)


def _parking(pipeline: Pipeline, loader: "WeightLoader | None") -> "Offload | None":
    if loader is None:
        return None
    from pipelines.memory.offload import Offload

    modules: Iterable[Any] = getattr(pipeline, "modules")  # noqa: B009
    return Offload(modules, loader.device, uploaded=loader.uploaded)
