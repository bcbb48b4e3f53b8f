"""The loader of models from disk onto the engine's device, for `workers.engine.residency`."""

import gc
import logging
from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from core.errors.failures import WeightsNotLocked
from core.settings import Settings
from jobs.manifests.environment import BundleWeights
from jobs.params.media import is_lora
from jobs.params.registry import Modality
from pipelines.catalog.licenses import read_allowed, refuse_license
from pipelines.catalog.loader import Catalog
from pipelines.catalog.spec import ModelSpec
from pipelines.catalog.variants import model_of, spec_of
from pipelines.image.lora_fit import check_fit
from pipelines.runtime import device as runtime
from pipelines.runtime import device_memory
from pipelines.runtime.protocol import Pipeline
from pipelines.runtime.registry import pipeline_class
from pipelines.weights.hash_cache import HashCache
from pipelines.weights.local_lock import read_locks
from pipelines.weights.lockfile import Lock
from pipelines.weights.verify import servable, verifying, weights_folder
from workers.engine.loaded_pipeline import LoadedPipeline
from workers.engine.memory_limits import limits_of
from workers.engine.peers import Peers, SharedModel
from workers.environment import weights_of

if TYPE_CHECKING:
    from pipelines.memory.pinned_pool import PinnedPool
    from pipelines.memory.staging import StagingBlocks
    from pipelines.memory.weight_loader import WeightLoader

log = logging.getLogger(__name__)

UNREADABLE = "The server's list of weights cannot be read, so nothing was loaded; ask the operator to restore it."


def lock_reader(settings: Settings, catalog: Catalog) -> Callable[[], Lock]:
    """Return the function that reads the locks of this machine.

    It raises `WeightsNotLocked` where one cannot be read, and logs why: the reason names a file of this machine.
    """
    folder = weights_folder(settings.weights_dir)

    def read() -> Lock:
        try:
            return read_locks(settings.weights_lock, folder, catalog)
        except ValueError as error:
            log.error("weights: lock not read reason=%r", str(error))
            raise WeightsNotLocked(UNREADABLE) from None

    return read


def servable_now(settings: Settings, catalog: Catalog, locks: Callable[[], Lock]) -> tuple[ModelSpec, ...]:
    """Return the models that can be loaded here; none while a lock cannot be read."""
    try:
        lock = locks()
    except WeightsNotLocked:
        return ()
    return servable(catalog, lock, weights_folder(settings.weights_dir), read_allowed(settings.allowed_licenses))


class ModelLoader:
    """A `model_source.ModelSource`: the models of the catalog, from weights that `weights.lock` lists.

    `locks()` reads the lock; each load does, so that a model which was fetched meanwhile can be loaded.
    """

    def __init__(
        self,
        catalog: Catalog,
        locks: Callable[[], Lock],
        settings: Settings,
        hashes: HashCache | None = None,
        peers: Peers | None = None,
    ) -> None:
        self.device = runtime.prepare(settings.device, settings.cpu_threads, settings.compile_cache)
        self._catalog = catalog
        self._locks = locks
        self._weights = weights_folder(settings.weights_dir)
        self._allowed = read_allowed(settings.allowed_licenses)
        self._hashes = hashes or HashCache()
        self._peers = peers
        self._staging: StagingBlocks | None = None
        self._pool: PinnedPool | None = None
        self._verified: dict[str, tuple[BundleWeights, ...]] = {}
        """The weights of each variant at its last load."""
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

    def offered(self, modality: Modality, resident: Collection[str] = ()) -> list[ModelSpec]:
        """Return the models of a modality that can be loaded here, those in memory before others.

        Those of texts that answer a few templates alone do not count.
        """
        able = servable(self._catalog, self._locks(), self._weights, self._allowed)
        offered = [spec for spec in able if spec.modality == modality and not spec.templates]
        return sorted(offered, key=lambda spec: spec.id not in resident)

    def first(self, modality: Modality, resident: Collection[str] = ()) -> ModelSpec | None:
        """Return the first of `offered`."""
        return next(iter(self.offered(modality, resident)), None)

    def check_fit(self, model_id: str, inputs: Mapping[str, Path]) -> None:
        """Raise `LoraNotCompatible` for a LoRA among the inputs of a job that is for another model; loads nothing."""
        for name, file in inputs.items():
            if is_lora(name):
                check_fit(file, model_id, self.spec(model_id).directory(self._weights))

    def load(self, model_id: str) -> LoadedPipeline:
        """See `model_source.ModelSource`. Raises `LicenseRefused`, `WeightsNotLocked` and `ModelLoadFailed`."""
        spec = self._spec_of(model_id)
        refuse_license(spec, self._allowed)
        # Hashing takes its time: it begins before the imports.
        lock = self._locks()
        with verifying(spec, lock, self._weights, self._hashes), self._undisturbed():
            class_ = pipeline_class(spec)  # its imports stay in memory without the model, too
            before = self.memory_used()
            weight_loader = self._weight_loader(class_)
            pipeline = runtime.construct(spec, self._weights, self.device.name, weight_loader)
            taken = self.memory_used() - before
        self._verified[model_id] = weights_of(spec, lock, self._weights)
        if weight_loader is None and self.device.name != "cpu" and taken <= 0:
            taken = spec.vram_bytes  # ONNX Runtime's, say, of which the driver does not speak in a container
        if spec.gpus > 1 and self._peers is not None and self._peers.ranks == spec.gpus:
            self._peers.start(self.device.name)
            return SharedModel(pipeline, weight_loader, taken, self._pool, spec=spec, peers=self._peers)
        return LoadedPipeline(pipeline, weight_loader, taken, self._pool, missing_gpus=spec.gpus - 1)

    def weights_of(self, variant: str) -> tuple[BundleWeights, ...]:
        """Return the files that a loaded model was made of, as they were verified."""
        return self._verified.get(variant, ())

    def _spec_of(self, variant: str) -> ModelSpec:
        return spec_of(self._catalog.get(model_of(variant)), variant)

    def _undisturbed(self) -> AbstractContextManager[None]:
        return nullcontext() if self._pool is None else self._pool.undisturbed()

    def _weight_loader(self, class_: type[Pipeline]) -> "WeightLoader | None":
        """Return the loader for a pipeline that names the modules of its weights; None, without torch, for another."""
        if not hasattr(class_, "modules"):
            return None
        from pipelines.memory.weight_loader import WeightLoader

        return WeightLoader(self.device.name, staging=self._staging)

    def estimate(self, model_id: str) -> int:
        """See `model_source.ModelSource`."""
        return self._spec_of(model_id).vram_bytes

    def memory_used(self) -> int:
        """See `model_source.ModelSource`."""
        return device_memory.memory_used(self.device.name)

    def memory_free(self) -> int:
        """See `model_source.ModelSource`."""
        return device_memory.memory_free(self.device.name)

    def reset_peak(self) -> int:
        """See `model_source.ModelSource`."""
        return device_memory.reset_peak(self.device.name)

    def read_peak(self) -> int:
        """See `model_source.ModelSource`."""
        return device_memory.read_peak(self.device.name)

    def free_caches(self) -> None:
        """See `model_source.ModelSource`."""
        gc.collect()  # pipelines are full of cycles
        runtime.free_caches()

    def computes_right(self) -> bool:
        """See `model_source.ModelSource`."""
        return runtime.computes_right(self.device.name)
