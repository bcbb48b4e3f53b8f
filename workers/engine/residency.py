"""Residency: the models in memory within a budget, and the eviction that makes room for another. No torch.

A model is on the device, offloaded to host memory, or on disk only. Of the models that are neither in use nor pinned
the least recently used one is evicted first: to the host, where its master copy fits, else it is dropped. The process
is never restarted for it.
"""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from core.errors.failures import GpuOutOfMemory
from jobs.wire.servers import ResidentModel
from pipelines.runtime.torch_errors import is_out_of_memory
from workers.engine.memory_limits import MemoryLimits
from workers.engine.model_source import ModelSource
from workers.engine.residency_entry import ModelInUse, ResidencyEntry
from workers.engine.working_memory import WorkingMemory

log = logging.getLogger(__name__)


class Residency:
    """The models in memory. After every method the device is within its budget; one thread uses it."""

    def __init__(self, source: ModelSource, limits: MemoryLimits, clock: Callable[[], float] = time.monotonic) -> None:
        self._source = source
        self._limits = limits
        self._clock = clock
        self._entries: dict[str, ResidencyEntry] = {}
        self._measured: dict[str, int] = {}
        self._working_memory = WorkingMemory(source)
        self._evicted: list[str] = []

    @property
    def models(self) -> tuple[ResidentModel, ...]:
        """The models in memory, in the order in which they were loaded."""
        return tuple(entry.fact for entry in self._entries.values())

    @property
    def graph_bytes(self) -> int:
        """Bytes that the CUDA graphs of all models keep on the device; the source takes them for free."""
        return sum(entry.loaded.graph_bytes for entry in self._on_device())

    def take_evicted(self) -> tuple[str, ...]:
        """Return the ids of the models evicted since the last call."""
        evicted, self._evicted = tuple(self._evicted), []
        return evicted

    @contextmanager
    def using(
        self,
        model_id: str,
        before_load: Callable[[], None] = lambda: None,
        job_size: int = 0,
        batch: int = 1,
        brought: int = 0,
    ) -> Iterator[ModelInUse]:
        """Keep the model on the device while the block runs; call `before_load` when it has to be loaded.

        Models are evicted until what earlier jobs of this `job_size` took is free, too, times `batch` where there can
        be so much, else for fewer outputs at once. The bytes of weights that the job has `brought` come to it, and are
        not among what it is measured to take.

        Raises what loading raises, and `GpuOutOfMemory` for a model that does not fit beside those in use or pinned.
        """
        entry = self._bring_to_device(model_id, before_load)
        entry.users += 1
        try:
            at_once = self._make_working_room(model_id, job_size, batch, brought)
            free = self._memory_free() - brought
            try:
                with self._grown(entry), self._working_memory.measured(model_id, job_size, at_once, brought):
                    yield ModelInUse(entry.loaded.pipeline, at_once)
            except Exception as error:
                if at_once > 1 and is_out_of_memory(error):
                    self._working_memory.keep_batch(model_id, job_size, at_once, free + 1)
                raise
        finally:
            entry.users -= 1
            entry.used = self._clock()
            if self._taken() > self._limits.device:
                self._free_graphs()

    def _make_working_room(self, model_id: str, job_size: int, most: int, brought: int) -> int:
        """Evict models until `most` outputs at once have room, or as many as can; return how many, at least 1."""
        for batch in range(most, 0, -1):
            wanted = brought + self._working_memory.expected(model_id, job_size, batch)
            used = sum(one.loaded.graph_bytes for one in self._on_device() if one.users)  # these graphs stay
            available = self._source.memory_free() - used + sum(one.bytes for one in self._evictable())
            if batch == 1 or available >= wanted:
                self._evict_until(lambda wanted=wanted: self._memory_free() >= wanted)  # type: ignore[misc]
                if self._memory_free() >= wanted:
                    return batch
        return 1

    @contextmanager
    def _grown(self, entry: ResidencyEntry) -> Iterator[None]:
        """Count to a model what its first use in the block takes for good."""
        if not entry.grows:
            yield
            return
        before = self._unaccounted()
        try:
            yield
        finally:
            entry.bytes += max(0, self._unaccounted() - before)
            entry.grows = False

    def preload(self, model_id: str, *, pin: bool, before_load: Callable[[], None] = lambda: None) -> None:
        """Bring a model onto the device before a job needs it; with `pin` it stays. Raises like `using`."""
        self._bring_to_device(model_id, before_load).pinned |= pin

    def unload(self, model_id: str | None = None) -> None:
        """Unload a model with all its variants, or all models, even pinned ones; models in use stay."""
        for entry in self._select(model_id):
            entry.pinned = False
            self._unload(entry)

    def release(self, model_id: str) -> None:
        """Unload a model after its use, unless it is pinned or in use."""
        if model_id in self._entries:
            self._unload(self._entries[model_id])

    def can_make_room(self, model_id: str) -> bool:
        """Return whether another model than this one may be evicted."""
        return bool(self._evictable(self._entries.get(model_id)))

    def make_room(self, model_id: str) -> bool:
        """Free CUDA graphs and caches, and evict one model, not this one; return whether there was one to evict.

        Not in the midst of a step.
        """
        self._free_graphs(in_use=True)
        self._source.free_caches()
        if not self.can_make_room(model_id):
            return False
        with self._working_memory.without_eviction():
            self._evict(self._evictable(self._entries.get(model_id))[0])
        return True

    def is_healthy(self, model_id: str) -> bool:
        """Return whether the device computes correctly and the model's weights are finite."""
        return self._source.computes_right() and all(entry.loaded.is_finite() for entry in self._select(model_id))

    def sweep(self) -> None:
        """Unload the models that have been idle for too long."""
        now, limits = self._clock(), self._limits
        for entry in self._select(None):
            idle = now - entry.used
            if entry.on_device and limits.idle_unload and idle >= limits.idle_unload:
                log.info("model: idle model=%s seconds=%.0f", entry.id, idle)
                self._unload(entry)
            elif not entry.on_device and limits.idle_drop and idle >= limits.idle_drop:
                self._drop(entry)

    def copy_to_host(self) -> bool:
        """Copy one more part of the weights on the device to the host; return whether there was one, and room for it.

        For idle time, so that a model that has to leave has its master copy already. No other copy is dropped for it.
        """
        for entry in sorted(self._on_device(), key=lambda one: -one.used):
            loaded = entry.loaded
            missing = 0 if loaded.has_master else loaded.bytes - loaded.host_bytes
            if missing > 0 and self.host_bytes + missing <= self._limits.host:
                return loaded.copy_chunk()
        return False

    def _select(self, model_id: str | None) -> list[ResidencyEntry]:
        return [entry for entry in self._entries.values() if model_id in (None, entry.model)]

    def _bring_to_device(self, model_id: str, before_load: Callable[[], None]) -> ResidencyEntry:
        entry = self._entries.get(model_id)
        if entry is None:
            before_load()
            entry = self._load(model_id)
        elif not entry.on_device:
            self._restore(entry)
        entry.used = self._clock()
        return entry

    def _restore(self, entry: ResidencyEntry) -> None:
        """Move a model from the host; it counts as in use meanwhile, so that making room does not drop it."""
        entry.users += 1
        try:
            self._make_room(entry.id, entry.bytes)
            entry.loaded.restore()
        finally:
            entry.users -= 1
        entry.on_device = True

    def _load(self, model_id: str) -> ResidencyEntry:
        """Load a model from disk; its size is known afterwards, so the room made before is an estimate."""
        known = self._measured.get(model_id)
        expected = self._source.estimate(model_id) if known is None else known
        if known is not None:
            self._make_room(model_id, known)
        else:
            self._evict_for(expected)
        # Only the entry refers to it, so that it is freed when the entry is dropped.
        entry = self._entries[model_id] = ResidencyEntry(model_id, self._source.load(model_id), self._clock())
        size = self._measured[model_id] = entry.bytes
        if not self._can_fit(0, keep=entry):
            self._drop(entry)
            raise self._too_large(model_id, size)
        self._evict_for(0, keep=entry)
        log.info("model: loaded model=%s size=%s", model_id, _gigabytes(size))
        return entry

    def _make_room(self, model_id: str, size: int) -> None:
        if not self._can_fit(size):
            raise self._too_large(model_id, size)
        self._evict_for(size)

    def _too_large(self, model_id: str, size: int) -> GpuOutOfMemory:
        return GpuOutOfMemory(
            f"{model_id} takes {_gigabytes(size)}, which does not fit into {_gigabytes(self._limits.device)} of memory "
            "beside the models in use or pinned; ask the operator for a larger server."
        )

    def _can_fit(self, size: int, keep: ResidencyEntry | None = None) -> bool:
        """Return whether `size` more bytes would fit beside `keep` and the models that may not be evicted."""
        fixed = sum(one.bytes for one in self._on_device() if one is keep or not one.is_free)
        return fixed + size <= self._limits.device

    def _evict_for(self, size: int, keep: ResidencyEntry | None = None) -> None:
        """Evict models other than `keep` until `size` more bytes are in the budget and free, or none may be evicted."""

        def fits() -> bool:
            return self._taken() + size <= self._limits.device and self._memory_free() >= size

        self._evict_until(fits, keep)

    def _evict_until(self, is_enough: Callable[[], bool], keep: ResidencyEntry | None = None) -> None:
        """Evict models other than `keep`, the least recently used first, until it is enough or none may be evicted.

        CUDA graphs go before any model: they are made again within a step.
        """
        if not is_enough():
            self._free_graphs()
        for entry in self._evictable(keep):
            if is_enough():
                break
            self._evict(entry)

    def _evictable(self, keep: ResidencyEntry | None = None) -> list[ResidencyEntry]:
        """Return the models on the device that may be evicted, but `keep`; the least recently used first."""
        return sorted((one for one in self._on_device() if one.is_free and one is not keep), key=lambda one: one.used)

    def _free_graphs(self, *, in_use: bool = False) -> None:
        """Free the CUDA graphs of all models, of those in use only if `in_use`."""
        for entry in self._on_device():
            if in_use or not entry.users:
                entry.loaded.free_graphs()

    def _taken(self) -> int:
        """Return the bytes of all models on the device."""
        return sum(entry.taken for entry in self._on_device())

    def _memory_free(self) -> int:
        """Return the bytes that can be allocated on the device."""
        return self._source.memory_free() - self.graph_bytes

    def _unaccounted(self) -> int:
        """Return the bytes in use that do not belong to a model."""
        return self._source.memory_used() - sum(entry.bytes for entry in self._on_device())

    def _on_device(self) -> list[ResidencyEntry]:
        return [entry for entry in self._entries.values() if entry.on_device]

    def _evict(self, entry: ResidencyEntry) -> None:
        if entry.is_free and entry.on_device:
            self._evicted.append(entry.model)
        self._unload(entry)

    def _unload(self, entry: ResidencyEntry) -> None:
        """Offload a model to the host, or drop it where it does not fit; one in use, pinned or offloaded stays."""
        if not entry.is_free or not entry.on_device:
            return
        if not self._has_host_room(entry):
            self._drop(entry)
            return
        try:
            entry.loaded.offload()
        except MemoryError:
            log.warning("model: host memory is full, dropped model=%s", entry.id)
            self._drop(entry)
            return
        entry.on_device = False
        self._source.free_caches()
        log.info("model: offloaded model=%s", entry.id)

    def _has_host_room(self, entry: ResidencyEntry) -> bool:
        """Return whether its master copy fits, once others were dropped: first those of models on the device."""
        loaded, limit = entry.loaded, self._limits.host
        missing = loaded.bytes - loaded.host_bytes
        if loaded.has_master:
            return True
        copies = [one for one in self._entries.values() if one is not entry and one.loaded.host_bytes]
        others = [one for one in copies if one.on_device or one.is_free]
        fixed = self.host_bytes - sum(one.loaded.host_bytes for one in others)
        if loaded.bytes == 0 or fixed + missing > limit:
            return False
        for one in sorted(others, key=lambda one: (not one.on_device, one.used)):
            if self.host_bytes + missing <= limit:
                break
            if one.on_device:
                one.loaded.drop()
            else:
                self._drop(one)
        return True

    @property
    def host_bytes(self) -> int:
        """Bytes of all master copies, unfinished ones too."""
        return sum(entry.loaded.host_bytes for entry in self._entries.values())

    def _drop(self, entry: ResidencyEntry) -> None:
        if entry.users:
            return
        del self._entries[entry.id]
        entry.loaded.close()
        log.info("model: dropped model=%s", entry.id)
        del entry.loaded
        self._source.free_caches()


def _gigabytes(size: int) -> str:
    return f"{size / 1e9:.1f} GB"
