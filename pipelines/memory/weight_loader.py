"""The way of weights from files onto a device: into host memory by large reads, from there by large copies.

The host memory is pinned where there is a GPU. Where there is room it is kept, and is the master copy from which a
parked model comes back (`pipelines.memory.offload`); else the next piece is read into it. On the CPU, where
nothing is kept, weights stay where they were read.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import msgspec
import torch
from torch import nn

from core.errors import ModelLoadFailed
from pipelines.memory.chunks import (
    ALIGNMENT,
    PIECE,
    HostBlock,
    TensorSlot,
    UploadedChunk,
    allot,
    home_of,
    is_dense,
    start_of,
    synchronize,
    tensors_of,
)
from pipelines.memory.safetensors_reader import StoredTensor, chunks, read_chunk, stored_in

M = TypeVar("M", bound=nn.Module)

Wanted = Callable[[str, torch.dtype], torch.dtype | None]
"""In which precision a tensor is wanted, by its name and its precision in the file; none for one that stays there."""

_READERS = 4
"""Threads that read at once: from the page cache one alone is slower than the bus."""


def floats_in(dtype: torch.dtype) -> Wanted:
    """Everything is wanted, numbers with a fraction in this precision."""
    return lambda _, stored: dtype if stored.is_floating_point else stored


class _Part(msgspec.Struct, frozen=True):
    """A tensor, the precision that it is wanted in, and its first byte in a piece."""

    stored: StoredTensor
    kind: torch.dtype
    start: int

    def flat(self, piece: torch.Tensor) -> torch.Tensor:
        """Its values in that piece, one after the other."""
        return piece[self.start : self.start + self.stored.numel * self.kind.itemsize].view(self.kind)


class _Spare(msgspec.Struct, frozen=True, eq=False):
    """Host memory that may be read into again, once what it holds was sent."""

    block: HostBlock
    wait: Callable[[], None]


class WeightLoader:
    """One load of a model onto `device`: `read` files, build a module of what was read, and let it `to_device`.

    `keeps`: what was read stays in host memory as well.
    """

    def __init__(self, device: str, *, keeps: bool = False, piece: int = PIECE) -> None:
        self.device = device
        self.landed = list[UploadedChunk]()
        """What was sent to the device, all modules together."""
        self._torch_device = torch.device(device)
        self._keeps = keeps
        self._piece = piece
        self._open = list[tuple[HostBlock, torch.Tensor]]()
        self._spare = list[_Spare]()
        self._can_pin = True

    def read(
        self, files: Iterable[Path], wanted: Wanted, *, sent: bool = True, as_mapped: bool = False
    ) -> dict[str, torch.Tensor]:
        """The tensors of safetensors files, by name, in the precision that is `wanted`.

        They are those that were `sent` to the device; two blocks of host memory then do for any number of pieces. Else
        they are those in host memory, for who changes them before they land, and valid until then. `as_mapped`: where
        they stay they begin at the addresses of a mapped file, modulo `ALIGNMENT`. On a CPU the last bit of a sum
        depends on that, and the numbers are to be those of the libraries.

        Raises `ModelLoadFailed` for a broken file and for a name that two files have, `MemoryError`, and torch's out of
        memory.
        """
        tensors = dict[str, torch.Tensor]()
        with ThreadPoolExecutor(_READERS) as pool:
            for size, parts in self._plan(files, wanted, as_mapped=as_mapped and self._stays):
                block = self._block(size)
                reads = [read for part in parts for read in chunks(part.stored, part.flat(block.memory))]
                for _ in pool.map(lambda read: read_chunk(*read), reads):
                    pass
                there = self._send(block, size)
                memory = there if sent else block.memory
                tensors |= {part.stored.name: part.flat(memory).view(part.stored.shape) for part in parts}
                if sent:
                    self._leave(block, there)
                else:
                    self._open.append((block, there))
        return tensors

    def to_device(self, module: M) -> M:
        """The module, with all that it has on the device: what was read for it by the copies that are under way."""
        numbers = {home_of(block.memory): number for number, (block, _) in enumerate(self._open)}
        pieces = [there for _, there in self._open]
        for tensor in tensors_of([module]):
            number = numbers.get(home_of(tensor))
            if number is not None and is_dense(tensor):
                slot = TensorSlot([tensor], number, start_of(tensor))
                slot.point(slot.view(pieces))
        synchronize(self._torch_device)
        module.to(self._torch_device)  # the rest: what it has computed itself, or made of what was read
        for block, there in self._open:
            self._leave(block, there)
        self._open.clear()
        return module

    def _plan(self, files: Iterable[Path], wanted: Wanted, *, as_mapped: bool) -> list[tuple[int, list["_Part"]]]:
        """The pieces, with their sizes, and what is read into each."""
        stored = [(one, kind) for one in stored_in(files) if (kind := wanted(one.name, one.dtype)) is not None]
        names = Counter(one.name for one, _ in stored)
        for name, count in names.items():
            if count > 1:
                raise ModelLoadFailed(f"{stored[0][0].file.parent.name} has the tensor {name} twice.")
        leads = [one.start % ALIGNMENT if as_mapped and kind == one.dtype else 0 for one, kind in stored]
        rooms = (lead + one.numel * kind.itemsize for lead, (one, kind) in zip(leads, stored, strict=True))
        places, sizes = allot(rooms, self._piece)
        pieces = [(size, list[_Part]()) for size in sizes]
        for (one, kind), (number, start), lead in zip(stored, places, leads, strict=True):
            pieces[number][1].append(_Part(one, kind, start + lead))
        return pieces

    def _block(self, size: int) -> HostBlock:
        """Memory for a piece, used before if possible: pinning takes longer than reading. Two take turns: one is read
        into while the other is sent.
        """
        fit = [spare for spare in self._spare if spare.block.memory.numel() >= size]
        if len(fit) < 2:
            return HostBlock(size)
        self._spare.remove(fit[0])
        fit[0].wait()
        return fit[0].block

    def _send(self, block: HostBlock, size: int) -> torch.Tensor:
        """The piece on the device; the copy may still be under way."""
        if self._stays:
            return block.memory
        there = torch.empty(size, dtype=torch.uint8, device=self._torch_device)
        self._can_pin = self._can_pin and block.pin(self._torch_device)  # pages that were touched are pinned faster
        return there.copy_(block.memory[:size], non_blocking=True)

    def _leave(self, block: HostBlock, there: torch.Tensor) -> None:
        """The piece is on its way, and nobody looks at the host's any more but who comes back to it."""
        if self._stays:
            return
        self.landed.append(UploadedChunk(there, block if self._keeps else None))
        if not self._keeps:
            self._spare.append(_Spare(block, _end_of_copies(self._torch_device)))

    @property
    def kept(self) -> int:
        """Bytes of host memory that are kept."""
        return sum(one.host.memory.numel() for one in self.landed if one.host is not None)

    @property
    def _stays(self) -> bool:
        return self._torch_device.type == "cpu" and not self._keeps


def _end_of_copies(device: torch.device) -> Callable[[], None]:
    """What waits until the copies that were begun so far have ended."""
    if device.type != "cuda":
        return lambda: None
    event = torch.cuda.Event()  # type: ignore[no-untyped-call]
    event.record(torch.cuda.current_stream(device))
    return event.synchronize
