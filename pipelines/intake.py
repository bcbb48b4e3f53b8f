"""The way of weights from files onto a device: into host memory by large reads, from there by large copies.

The host memory is pinned where there is a GPU. Where there is room it is kept, and is the master copy from which a
parked model comes back (`pipelines.parking`); else the next model of the same load is read into it. On the CPU, where
nothing is kept, weights stay where they were read.
"""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import torch
from torch import nn

from jobs.errors import ModelLoadFailed
from pipelines.pieces import (
    ALIGNMENT,
    PIECE,
    HostBlock,
    Landed,
    Slot,
    allot,
    home_of,
    is_dense,
    start_of,
    synchronize,
    tensors_of,
)
from pipelines.stored import Stored, chunks, read_chunk, stored_in

M = TypeVar("M", bound=nn.Module)

Wanted = Callable[[str, torch.dtype], torch.dtype | None]
"""In which precision a tensor is wanted, by its name and its precision in the file; none for one that stays there."""

_READERS = 4
"""Threads that read at once: from the page cache one alone is slower than the bus."""


def floats_in(dtype: torch.dtype) -> Wanted:
    """Everything is wanted, numbers with a fraction in this precision."""
    return lambda _, stored: dtype if stored.is_floating_point else stored


class Intake:
    """One load of a model onto `device`: `read` files, build a module of what was read, and let it `land`.

    `keeps`: what was read stays in host memory as well.
    """

    def __init__(self, device: str, *, keeps: bool = False, piece: int = PIECE) -> None:
        self.device = device
        self.landed = list[Landed]()
        """What was sent to the device, all modules together."""
        self._torch_device = torch.device(device)
        self._keeps = keeps
        self._piece = piece
        self._open = list[tuple[HostBlock, torch.Tensor]]()
        self._spare = list[HostBlock]()
        self._can_pin = True

    def read(self, files: Iterable[Path], wanted: Wanted) -> dict[str, torch.Tensor]:
        """The tensors of safetensors files in host memory, by name, in the precision that is `wanted`.

        They are valid until the module that is built of them has landed. Raises `ModelLoadFailed` for a broken file and
        for a name that two files have, `MemoryError`, and torch's out of memory.
        """
        stored = [(one, kind) for one in stored_in(files) if (kind := wanted(one.name, one.dtype)) is not None]
        leads = [self._lead(one, kind) for one, kind in stored]
        rooms = (lead + one.numel * kind.itemsize for lead, (one, kind) in zip(leads, stored, strict=True))
        places, sizes = allot(rooms, self._piece)
        tensors = dict[str, torch.Tensor]()
        reads = [list[tuple[Stored, int, torch.Tensor]]() for _ in sizes]
        blocks = [self._block(size) for size in sizes]
        for (one, kind), (number, room), lead in zip(stored, places, leads, strict=True):
            if one.name in tensors:
                raise ModelLoadFailed(f"{one.file.parent.name} has the tensor {one.name} twice.")
            start = room + lead
            flat = blocks[number].memory[start : start + one.numel * kind.itemsize].view(kind)
            tensors[one.name] = flat.view(one.shape)
            reads[number] += chunks(one, flat)
        with ThreadPoolExecutor(_READERS) as pool:
            for block, size, parts in zip(blocks, sizes, reads, strict=True):
                for _ in pool.map(lambda part: read_chunk(*part), parts):
                    pass
                self._open.append((block, self._send(block, size)))
        return tensors

    def land(self, module: M) -> M:
        """The module, with all that it has on the device: what was read for it by the copies that are under way."""
        numbers = {home_of(block.memory): number for number, (block, _) in enumerate(self._open)}
        pieces = [there for _, there in self._open]
        for tensor in tensors_of([module]):
            number = numbers.get(home_of(tensor))
            if number is not None and is_dense(tensor):
                slot = Slot([tensor], number, start_of(tensor))
                slot.point(slot.view(pieces))
        synchronize(self._torch_device)
        module.to(self._torch_device)  # the rest: what it has computed itself, or made of what was read
        self._close()
        return module

    def _lead(self, one: Stored, kind: torch.dtype) -> int:
        """Bytes that are left free before a tensor. Where it stays it begins as it does in a mapped file: on a CPU the
        last bit of a sum depends on that, and the numbers are to be those of the libraries."""
        return one.start % ALIGNMENT if self._stays and kind == one.dtype else 0

    def _block(self, size: int) -> HostBlock:
        """Memory for a piece, used before if possible: pinning takes longer than reading."""
        for spare in self._spare:
            if spare.memory.numel() >= size:
                self._spare.remove(spare)
                return spare
        return HostBlock(size)

    def _send(self, block: HostBlock, size: int) -> torch.Tensor:
        """The piece on the device; the copy may still be under way."""
        if self._stays:
            return block.memory
        there = torch.empty(size, dtype=torch.uint8, device=self._torch_device)
        self._can_pin = self._can_pin and block.pin(self._torch_device)  # pages that were touched are pinned faster
        return there.copy_(block.memory[:size], non_blocking=True)

    def _close(self) -> None:
        if not self._stays:
            self.landed += [Landed(there, block if self._keeps else None) for block, there in self._open]
            self._spare += [] if self._keeps else [block for block, _ in self._open]
        self._open.clear()

    @property
    def kept(self) -> int:
        """Bytes of host memory that are kept."""
        return sum(one.host.memory.numel() for one in self.landed if one.host is not None)

    @property
    def _stays(self) -> bool:
        return self._torch_device.type == "cpu" and not self._keeps
