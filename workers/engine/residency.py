"""Which models are in memory: a budget, and who has to leave for whom. No torch.

A model is on the device, parked in host memory, or on disk only. Among those that nobody uses and nobody pinned the
least recently used one leaves first: to the host, where there is room for its master copy, else altogether. The
process is never restarted for it.
"""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

import msgspec

from core.errors import GpuOutOfMemory
from jobs.wire.servers import ResidentModel
from pipelines.runtime.protocol import Pipeline

log = logging.getLogger(__name__)


class Loaded(Protocol):
    """A model that was loaded, with its weights on the device or parked in host memory."""

    pipeline: Pipeline

    @property
    def size(self) -> int:
        """Bytes that it takes on the device, as measured."""

    @property
    def bytes(self) -> int:
        """Of its master copy, which there may be; 0 for a model that can not be parked."""

    @property
    def has_master(self) -> bool:
        """Whether there is a copy of them in host memory."""

    def offload(self) -> None:
        """Leave the device. Raises `MemoryError` where the host has no room; it is on the device then."""

    def restore(self) -> None:
        """Back to the device. Raises out of memory; it is parked then."""

    def drop(self) -> None:
        """Give the copy in host memory back."""

    def is_finite(self) -> bool:
        """Whether no weight is NaN or infinite."""


class Shelf(Protocol):
    """Where models come from, and the memory they lie in."""

    def load(self, model_id: str, *, keeps: bool) -> Loaded:
        """Load a model from disk onto the device; `keeps`: what passes through host memory becomes its master copy."""

    def estimate(self, model_id: str) -> int:
        """Bytes that it will probably take."""

    def free_caches(self) -> None:
        """Give back what nobody refers to, and what is kept for later use."""

    def memory_used(self) -> int:
        """Bytes in use on the device."""

    def computes_right(self) -> bool:
        """Whether the device still computes what it should."""


class MemoryLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes on the device and of master copies in host memory; seconds after which an idle model leaves the device, and
    the host too. 0 seconds: never.
    """

    device: int
    host: int = 0
    idle_unload: float = 0.0
    idle_drop: float = 0.0


class _Entry:
    def __init__(self, model_id: str, loaded: Loaded, now: float) -> None:
        self.id = model_id
        self.loaded = loaded
        self.bytes = loaded.size
        self.grows = loaded.bytes == 0
        """Until its first use: what can not be parked, an ONNX session, takes its working memory then and keeps it."""
        self.on_device = True
        self.pinned = False
        self.users = 0
        self.used = now

    @property
    def is_free(self) -> bool:
        """Whether it may be sent away to make room."""
        return not (self.pinned or self.users)


class Residency:
    """The models in memory. Every method leaves the device within its budget; used by one thread."""

    def __init__(self, shelf: Shelf, limits: MemoryLimits, clock: Callable[[], float] = time.monotonic) -> None:
        self._shelf = shelf
        self._limits = limits
        self._clock = clock
        self._entries: dict[str, _Entry] = {}
        self._measured: dict[str, int] = {}
        self._evicted: list[str] = []

    @property
    def models(self) -> tuple[ResidentModel, ...]:
        """What is in memory, in the order in which it came."""
        return tuple(
            ResidentModel(id=one.id, bytes=one.bytes, where="device" if one.on_device else "host", pinned=one.pinned)
            for one in self._entries.values()
        )

    def take_evicted(self) -> tuple[str, ...]:
        """Models that had to leave the device for another one, since this was last asked."""
        evicted, self._evicted = tuple(self._evicted), []
        return evicted

    @contextmanager
    def using(self, model_id: str, before_load: Callable[[], None] = lambda: None) -> Iterator[Pipeline]:
        """The model, on the device for as long as the block runs; calls `before_load` when it has to be loaded.

        Raises what loading raises, and `GpuOutOfMemory` for a model that does not fit beside those that may not leave.
        """
        entry = self._on_device(model_id, before_load)
        before = self._unaccounted() if entry.grows else 0
        entry.users += 1
        try:
            yield entry.loaded.pipeline
        finally:
            entry.users -= 1
            entry.used = self._clock()
            if entry.grows:
                entry.bytes += max(0, self._unaccounted() - before)
                entry.grows = False

    def preload(self, model_id: str, *, pin: bool, before_load: Callable[[], None] = lambda: None) -> None:
        """Bring a model onto the device before anybody asks for it; pinned, it stays. Raises like `using`."""
        self._on_device(model_id, before_load).pinned |= pin

    def unload(self, model_id: str | None = None) -> None:
        """Send a model away, or all of them, even pinned ones; those in use stay."""
        for entry in self._some(model_id):
            entry.pinned = False
            self._leave(entry)

    def release(self, model_id: str) -> None:
        """Send a model away that its user is done with, unless it is pinned or in use."""
        for entry in self._some(model_id):
            self._leave(entry)

    def keep_only(self, model_id: str) -> None:
        """Send away whatever may leave except this model, and give cached memory back."""
        for entry in self._some(None):
            if entry.id != model_id:
                self._evict(entry)
        self._shelf.free_caches()

    def is_healthy(self, model_id: str) -> bool:
        """Whether the device computes right and the model's weights are still numbers."""
        return self._shelf.computes_right() and all(entry.loaded.is_finite() for entry in self._some(model_id))

    def sweep(self) -> None:
        """Send away what has been idle for too long."""
        now, limits = self._clock(), self._limits
        for entry in self._some(None):
            idle = now - entry.used
            if entry.on_device and limits.idle_unload and idle >= limits.idle_unload:
                log.info("%s was idle for %.0f s", entry.id, idle)
                self._leave(entry)
            elif not entry.on_device and limits.idle_drop and idle >= limits.idle_drop:
                self._drop(entry)

    def _some(self, model_id: str | None) -> list[_Entry]:
        return [entry for entry in self._entries.values() if model_id in (None, entry.id)]

    def _on_device(self, model_id: str, before_load: Callable[[], None]) -> _Entry:
        entry = self._entries.get(model_id)
        if entry is None:
            before_load()
            entry = self._load(model_id)
        elif not entry.on_device:
            self._wake(entry)
        entry.used = self._clock()
        return entry

    def _wake(self, entry: _Entry) -> None:
        """From the host. It counts as used meanwhile: who makes room for it must not push it out of the host."""
        entry.users += 1
        try:
            self._make_room(entry.id, entry.bytes)
            entry.loaded.restore()
        finally:
            entry.users -= 1
        entry.on_device = True

    def _load(self, model_id: str) -> _Entry:
        """From disk. Its size is known only once it was loaded; what it displaces before is an estimate."""
        known = self._measured.get(model_id)
        expected = self._shelf.estimate(model_id) if known is None else known
        if known is not None:
            self._make_room(model_id, known)
        else:
            self._displace(expected)
        # Nobody leaves the host for a copy that is no use yet, and a share of nothing has no room for an unknown size.
        keeps = self.host_bytes + max(expected, 1) <= self._limits.host
        # No name but the entry's refers to it, so that it is gone when the entry is dropped.
        entry = self._entries[model_id] = _Entry(model_id, self._shelf.load(model_id, keeps=keeps), self._clock())
        size = self._measured[model_id] = entry.bytes
        if self.host_bytes > self._limits.host:
            entry.loaded.drop()
        if not self._can_fit(0, keep=entry):
            self._drop(entry)
            raise self._no_room(model_id, size)
        self._displace(0, keep=entry)
        log.info("%s is on the device: %s", model_id, _gigabytes(size))
        return entry

    def _make_room(self, model_id: str, size: int) -> None:
        if not self._can_fit(size):
            raise self._no_room(model_id, size)
        self._displace(size)

    def _no_room(self, model_id: str, size: int) -> GpuOutOfMemory:
        return GpuOutOfMemory(
            f"{model_id} takes {_gigabytes(size)}, which the budget of {_gigabytes(self._limits.device)} has not left "
            "beside the models that may not leave; ask the operator for a larger server."
        )

    def _can_fit(self, size: int, keep: _Entry | None = None) -> bool:
        """Whether `size` bytes more would fit beside `keep` and those that may not leave: else nobody has to."""
        fixed = sum(one.bytes for one in self._there() if one is keep or not one.is_free)
        return fixed + size <= self._limits.device

    def _displace(self, size: int, keep: _Entry | None = None) -> None:
        """Send models away, the least recently used first, until `size` bytes more fit or nobody is left."""
        leaving = [one for one in self._there() if one.is_free and one is not keep]
        for entry in sorted(leaving, key=lambda one: one.used):
            if sum(one.bytes for one in self._there()) + size <= self._limits.device:
                break
            self._evict(entry)

    def _unaccounted(self) -> int:
        """Bytes in use that belong to no model."""
        return self._shelf.memory_used() - sum(entry.bytes for entry in self._there())

    def _there(self) -> list[_Entry]:
        return [entry for entry in self._entries.values() if entry.on_device]

    def _evict(self, entry: _Entry) -> None:
        if entry.is_free and entry.on_device:
            self._evicted.append(entry.id)
        self._leave(entry)

    def _leave(self, entry: _Entry) -> None:
        """From the device to the host, or altogether; nothing for one that may not leave, or has left."""
        if not entry.is_free or not entry.on_device:
            return
        if not self._has_host_room(entry):
            self._drop(entry)
            return
        try:
            entry.loaded.offload()
        except MemoryError:
            log.warning("host memory is full: %s leaves altogether", entry.id)
            self._drop(entry)
            return
        entry.on_device = False
        self._shelf.free_caches()
        log.info("%s is parked in host memory", entry.id)

    def _has_host_room(self, entry: _Entry) -> bool:
        """Whether its master copy fits; others make room: first copies of what is on the device anyway."""
        size, limit = entry.loaded.bytes, self._limits.host
        if entry.loaded.has_master:
            return True
        others = [one for one in self._entries.values() if one.loaded.has_master and (one.on_device or one.is_free)]
        fixed = self.host_bytes - sum(one.loaded.bytes for one in others)
        if size == 0 or fixed + size > limit:
            return False
        for one in sorted(others, key=lambda one: (not one.on_device, one.used)):
            if self.host_bytes + size <= limit:
                break
            if one.on_device:
                one.loaded.drop()
            else:
                self._drop(one)
        return True

    @property
    def host_bytes(self) -> int:
        """Of all master copies."""
        return sum(entry.loaded.bytes for entry in self._entries.values() if entry.loaded.has_master)

    def _drop(self, entry: _Entry) -> None:
        if entry.users:
            return
        del self._entries[entry.id]
        entry.loaded.drop()
        log.info("%s is unloaded", entry.id)
        del entry.loaded
        self._shelf.free_caches()


def _gigabytes(size: int) -> str:
    return f"{size / 1e9:.1f} GB"
