"""Host memory for the master copies of weights, from which a GPU copies by itself.

Pinning a gigabyte takes the driver from tenths of a second to seconds, and unpinning too. So it is never done while a
job waits: a thread pins blocks when the engine is idle, models borrow those that are ready, and a block that comes back
stays pinned for the next model.
"""

import logging
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

import torch

from pipelines.memory.chunks import CHUNK_BYTES, HostBlock

log = logging.getLogger(__name__)

STEP_BYTES = CHUNK_BYTES // 16
"""Blocks are whole numbers of this size, so that one that comes back fits chunks of other models."""
MAX_WASTE = CHUNK_BYTES // 4
"""The most by which a block may be larger than what is asked for."""
PATIENCE_SECONDS = 10.0
"""An engine that is never idle has a block pinned beside its jobs after this time."""


class HostMemory(Protocol):
    """A source of blocks for master copies."""

    def want(self, sizes: Sequence[int]) -> None:
        """Prepare for blocks of these sizes in bytes, which will be borrowed; forget what was wanted before."""

    def borrow(self, sizes: Sequence[int]) -> list[HostBlock]:
        """Return a block for each size, at least as large. Raises `MemoryError` where one of them is not to be had."""

    def give_back(self, blocks: Iterable[HostBlock]) -> None:
        """Take blocks back, whose content is no longer needed."""

    @contextmanager
    def undisturbed(self) -> Iterator[None]:
        """Begin no pinning while the block runs: a model comes to the device in it."""


class FreshMemory:
    """Blocks that are allocated, and pinned for a GPU, when they are asked for: a `HostMemory` without preparation."""

    def __init__(self, device: str) -> None:
        self._device = torch.device(device)

    def want(self, sizes: Sequence[int]) -> None:
        """See `HostMemory`."""

    def borrow(self, sizes: Sequence[int]) -> list[HostBlock]:
        """See `HostMemory`."""
        blocks = [HostBlock(size) for size in sizes]
        for block in blocks:
            if not block.pin(self._device):
                break
        return blocks

    def give_back(self, blocks: Iterable[HostBlock]) -> None:
        """See `HostMemory`."""

    @contextmanager
    def undisturbed(self) -> Iterator[None]:
        """See `HostMemory`."""
        yield


class PinnedPool:
    """The pinned blocks of an engine, `limit` bytes at most beside those of `staging`; several threads may use it.

    `on_ready()` is called, in another thread, when a wanted block has become ready.
    """

    def __init__(
        self,
        device: str,
        limit: int,
        *,
        staging: Sequence[HostBlock] = (),
        on_ready: Callable[[], None] = lambda: None,
    ) -> None:
        self.on_ready = on_ready
        self._device = torch.device(device)
        self._limit = limit
        self._staging = list(staging)
        self._changed = threading.Condition()
        self._free = list[HostBlock]()
        self._wanted = list[int]()
        self._bytes = 0
        self._is_idle = False
        self._loads = 0
        threading.Thread(target=self._run, name="pin", daemon=True).start()

    def want(self, sizes: Sequence[int]) -> None:
        """See `HostMemory`."""
        with self._changed:
            self._wanted = sorted(sizes, reverse=True)
            self._changed.notify_all()

    def borrow(self, sizes: Sequence[int]) -> list[HostBlock]:
        """See `HostMemory`; only blocks that are ready."""
        with self._changed:
            found, missing = self._allot(sizes)
            if missing:
                raise MemoryError(f"{len(missing)} of {len(sizes)} blocks of pinned host memory are not ready.")
            self._free = [block for block in self._free if block not in found]
            self._wanted = sorted((Counter(self._wanted) - Counter(sizes)).elements(), reverse=True)
            return found

    def give_back(self, blocks: Iterable[HostBlock]) -> None:
        """See `HostMemory`."""
        with self._changed:
            self._free += blocks
            self._changed.notify_all()

    @contextmanager
    def undisturbed(self) -> Iterator[None]:
        """See `HostMemory`."""
        with self._changed:
            self._loads += 1
        try:
            yield
        finally:
            with self._changed:
                self._loads -= 1
                self._changed.notify_all()

    @contextmanager
    def idle(self) -> Iterator[None]:
        """Say that the engine has nothing to do while the block runs, so that pinning disturbs no job."""
        self._set_idle(True)
        try:
            yield
        finally:
            self._set_idle(False)

    def _set_idle(self, is_idle: bool) -> None:
        with self._changed:
            self._is_idle = is_idle
            self._changed.notify_all()

    def _run(self) -> None:
        torch.cuda.set_device(self._device)  # it is each thread's own: else there is a context on the first GPU, too
        for block in self._staging:
            self._pin(block, patience=0)
        while True:
            size, wanted = self._next_missing()
            try:
                self._prepare(size)
                self.on_ready()
            except MemoryError as error:
                log.info("host memory: no further block reason=%r", str(error))
                self._give_up(wanted)
            except Exception:  # this thread outlives what goes wrong with one block
                log.exception("host memory: no further block")
                self._give_up(wanted)

    def _next_missing(self) -> tuple[int, list[int]]:
        """Wait until there is a wanted size for which no free block is ready; return it, and all that is wanted."""
        with self._changed:
            while not (missing := self._allot(self._wanted)[1]):
                self._changed.wait()
            return missing[0], self._wanted

    def _give_up(self, wanted: list[int]) -> None:
        """Prepare no further block, unless something else is wanted by now."""
        with self._changed:
            if self._wanted is wanted:
                self._wanted = []

    def _allot(self, sizes: Iterable[int]) -> tuple[list[HostBlock], list[int]]:
        """Return free blocks for these sizes, and the sizes for which there is none."""
        free, found, missing = list(self._free), list[HostBlock](), list[int]()
        for size in sizes:
            fit = [block for block in free if size <= block.memory.numel() <= rounded_up(size) + MAX_WASTE]
            if fit:
                found.append(min(fit, key=lambda block: block.memory.numel()))
                free.remove(found[-1])
            else:
                missing.append(size)
        return found, missing

    def _prepare(self, size: int) -> None:
        """Add a block. Raises `MemoryError` where the limit or the machine has no room for it."""
        size = rounded_up(size)
        unpinned = self._make_room(size)  # outside of the lock, since it takes its time
        del unpinned
        try:
            block = HostBlock(size)
            block.memory.zero_()  # the pages are given here, not in the driver's call, which may hold up the GPU
            self._pin(block, patience=PATIENCE_SECONDS)
        except BaseException:
            with self._changed:
                self._bytes -= size
            raise
        self.give_back([block])

    def _make_room(self, size: int) -> list[HostBlock]:
        """Count `size` bytes in, and return the blocks that have to go for it: free ones that nothing wanted fits."""
        with self._changed:
            kept, _ = self._allot(self._wanted)
            unused, gone = [block for block in self._free if block not in kept], list[HostBlock]()
            if self._bytes + size - sum(block.memory.numel() for block in unused) > self._limit:
                raise MemoryError("the budget is taken")
            while self._bytes + size > self._limit:
                gone.append(unused.pop())
                self._free.remove(gone[-1])
                self._bytes -= gone[-1].memory.numel()
            self._bytes += size
            return gone

    def _pin(self, block: HostBlock, *, patience: float) -> None:
        """Pin a block once no model is being loaded, and the engine is idle or `patience` seconds have passed."""
        with self._changed:
            self._changed.wait_for(lambda: self._is_idle and not self._loads, patience)
            self._changed.wait_for(lambda: not self._loads)
        block.pin(self._device)


def rounded_up(size: int) -> int:
    """Return the size of the block for a chunk of so many bytes."""
    return -(-size // STEP_BYTES) * STEP_BYTES
