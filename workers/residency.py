"""Which models are in memory. One at a time for now: the next model replaces the last."""

import gc
from collections.abc import Callable
from pathlib import Path

from jobs.settings import Settings
from pipelines import runtime
from pipelines.catalog import Catalog
from pipelines.licences import read_allowed
from pipelines.lockfile import Lock
from pipelines.pipeline import Pipeline
from pipelines.spec import CHECKOUT


def weights_folder(settings: Settings) -> Path:
    """Where downloaded weights are: `ATELIER_WEIGHTS_DIR`, or `weights/` in the checkout."""
    return Path(settings.weights_dir) if settings.weights_dir else CHECKOUT / "weights"


class Residency:
    """The pipelines that are loaded on this engine's device."""

    def __init__(self, catalog: Catalog, lock: Lock, settings: Settings) -> None:
        self.device = runtime.prepare(settings.device, settings.cpu_threads)
        self._catalog = catalog
        self._lock = lock
        self._weights = weights_folder(settings)
        self._allowed = read_allowed(settings.allowed_licenses)
        self._loaded: dict[str, Pipeline] = {}

    @property
    def resident(self) -> tuple[str, ...]:
        """Ids of the loaded models."""
        return tuple(self._loaded)

    def take(self, model_id: str, before_load: Callable[[], None]) -> Pipeline:
        """The loaded model; calls `before_load` first when it has to be loaded.

        Raises `LicenceRefused`, `WeightsNotLocked` and `ModelLoadFailed`.
        """
        if model_id not in self._loaded:
            before_load()
            self.keep_only(None)
            spec = self._catalog.get(model_id)
            self._loaded[model_id] = runtime.load(spec, self._weights, self._lock, self.device.name, self._allowed)
        return self._loaded[model_id]

    def memory_used(self) -> int:
        """Bytes in use on the device."""
        return runtime.memory_used(self.device.name)

    def keep_only(self, model_id: str | None) -> None:
        """Unload every other model and give cached memory back to the device."""
        self._loaded = {loaded: pipeline for loaded, pipeline in self._loaded.items() if loaded == model_id}
        gc.collect()
        runtime.free_caches()
