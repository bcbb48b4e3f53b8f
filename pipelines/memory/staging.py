"""Staging: two blocks of host memory, through which weights pass from files to a device."""

from collections.abc import Callable

import torch

from pipelines.memory.chunks import HostBlock

STAGING_BYTES = 2**28
"""Size of a block: several times what one thread reads at a time, and small enough to be pinned within a moment."""


class StagingBlocks:
    """Two blocks that take turns: one is read into while the other is sent.

    They are pinned where that has been done by the time of a load (`pipelines.memory.pinned_pool`). Unpinned ones work
    too: CUDA then copies through blocks of its own.
    """

    def __init__(self, size: int = STAGING_BYTES) -> None:
        self.size = size
        self._made: list[HostBlock] = []
        self._sent: list[Callable[[], None]] = [_nothing, _nothing]
        self._turn = 0

    @property
    def blocks(self) -> list[HostBlock]:
        """Both blocks, which are allocated when they are first asked for. Raises `MemoryError`."""
        while len(self._made) < 2:
            self._made.append(HostBlock(self.size))
        return self._made

    def take(self, size: int) -> torch.Tensor:
        """Return `size` bytes to read into, once what was sent from there last has arrived."""
        assert size <= self.size, "a read is larger than a staging block"
        self._turn = 1 - self._turn
        self._sent[self._turn]()
        return self.blocks[self._turn].memory[:size]

    def send(self, target: torch.Tensor) -> None:
        """Copy what was read since `take` to the device; the copy may still be under way afterwards."""
        target.copy_(self.blocks[self._turn].memory[: target.numel()], non_blocking=True)
        self._sent[self._turn] = _pending_copies(target.device)


def _nothing() -> None:
    return None


def _pending_copies(device: torch.device) -> Callable[[], None]:
    """Return a function that waits for the copies begun so far."""
    if device.type != "cuda":
        return _nothing
    event = torch.cuda.Event()  # type: ignore[no-untyped-call]
    event.record(torch.cuda.current_stream(device))
    return event.synchronize
