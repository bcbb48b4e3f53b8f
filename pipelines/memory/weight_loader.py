"""Weights from files onto a device: into host memory by large reads, from there by large copies.

With a GPU they pass through two staging blocks, which are pinned beforehand, if at all: nothing is pinned between
reads. The master copy of an offloaded model is made later (`pipelines.memory.offload`). On the CPU weights stay where
they were read.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from itertools import repeat
from pathlib import Path
from typing import TypeVar

import msgspec
import torch
from torch import nn

from core.errors.failures import ModelLoadFailed
from pipelines.memory.chunks import (
    ALIGNMENT,
    CHUNK_BYTES,
    HostBlock,
    TensorSlot,
    allocate,
    byte_offset,
    is_dense,
    storage_address,
    synchronize,
    tensors_of,
)
from pipelines.memory.safetensors_reader import StoredTensor, plan_reads, read_index, read_values
from pipelines.memory.staging import StagingBlocks

M = TypeVar("M", bound=nn.Module)

DtypeRule = Callable[[str, torch.dtype], torch.dtype | None]
"""The dtype to convert a tensor to, by its name and its dtype in the file; `None` leaves it in the file."""

Revision = Callable[[dict[str, torch.Tensor]], dict[str, torch.Tensor]]
"""Function that replaces some of the tensors of a chunk, and returns all."""

_READERS = 4
"""Threads that read at once: one alone reads the page cache more slowly than the bus copies."""


def convert_floats_to(dtype: torch.dtype) -> DtypeRule:
    """Return the rule that reads everything, floating-point tensors in `dtype`."""
    return lambda _, stored: dtype if stored.is_floating_point else stored


class _TensorRead(msgspec.Struct, frozen=True):
    """A tensor, the dtype to convert it to, and its first byte in a chunk."""

    stored: StoredTensor
    kind: torch.dtype
    start: int

    def flat(self, chunk: torch.Tensor) -> torch.Tensor:
        """Return its values in that chunk, one after the other."""
        return chunk[self.start : self.start + self.stored.numel * self.kind.itemsize].view(self.kind)


_Chunk = tuple[int, list[_TensorRead]]
"""The size of a chunk, and the tensors that it holds."""


class _ValuesRead(msgspec.Struct, frozen=True):
    """Some values of a tensor: the number of the first one, how many, and their first byte in a chunk."""

    part: _TensorRead
    first: int
    count: int

    @property
    def start(self) -> int:
        return self.part.start + self.first * self.part.kind.itemsize

    @property
    def end(self) -> int:
        return self.start + self.count * self.part.kind.itemsize

    def fill(self, memory: torch.Tensor, begin: int) -> None:
        """Read into `memory`, whose first byte is byte `begin` of the chunk."""
        read_values(self.part.stored, self.first, memory[self.start - begin : self.end - begin].view(self.part.kind))


class WeightLoader:
    """One load of a model onto `device`: `read` files, build a module of the result, then call `to_device`.

    On a GPU, and where `staging` is given, weights pass through staging blocks; else they stay where they are read.
    """

    def __init__(self, device: str, *, staging: StagingBlocks | None = None, chunk: int = CHUNK_BYTES) -> None:
        self.device = device
        self.uploaded = list[torch.Tensor]()
        """Chunks that were sent to the device, of all modules."""
        self._torch_device = torch.device(device)
        self._staging = staging or (None if device == "cpu" else StagingBlocks())
        self._chunk_bytes = chunk
        self._open = list[tuple[torch.Tensor, torch.Tensor]]()

    def read(
        self,
        files: Iterable[Path],
        wanted: DtypeRule,
        *,
        sent: bool = True,
        as_mapped: bool = False,
        revise: Revision | None = None,
    ) -> dict[str, torch.Tensor]:
        """Return the tensors of safetensors files by name, in the dtype of the rule `wanted`.

        - `sent`: return the tensors on the device. The staging blocks then serve any number of chunks. Else return
          those in host memory, valid until `to_device`, for a library that changes them first.
        - `as_mapped`: tensors that stay where they are read begin at the addresses of a mapped file, modulo
          `ALIGNMENT`. On a CPU the last bit of a sum depends on that, and the numbers must equal those of the
          libraries.
        - `revise` is called with the tensors of each chunk; where it replaces some, the chunk is freed at once, so that
          a model never takes much more than it does in the end.

        Raises `ModelLoadFailed` for a broken file and for a name that two files have, `MemoryError`, and torch's out of
        memory.
        """
        tensors = dict[str, torch.Tensor]()
        plan = self._plan(files, wanted, as_mapped=as_mapped and self._staging is None)
        with ThreadPoolExecutor(_READERS) as pool:
            chunks = self._read_in_place(pool, plan) if self._staging is None or not sent else self._send(pool, plan)
            for memory, (_, parts) in zip(chunks, plan, strict=True):
                found = {part.stored.name: part.flat(memory).view(part.stored.shape) for part in parts}
                tensors |= found if revise is None else self._revised(found, revise)
        return tensors

    def _revised(self, found: dict[str, torch.Tensor], revise: Revision) -> dict[str, torch.Tensor]:
        """Return the tensors of the chunk that was read last, some replaced: then none of them is in it."""
        made = revise(found)
        stays = {name for name, tensor in found.items() if made[name] is tensor}
        if len(stays) == len(found):
            return made
        if self.uploaded:
            self.uploaded.pop()
        return {name: tensor.clone() if name in stays else tensor for name, tensor in made.items()}

    def to_device(self, module: M) -> M:
        """Return the module with everything on the device; tensors read for it use the copies under way."""
        numbers = {storage_address(memory): number for number, (memory, _) in enumerate(self._open)}
        chunks = [on_device for _, on_device in self._open]
        for tensor in tensors_of([module]):
            number = numbers.get(storage_address(tensor))
            if number is not None and is_dense(tensor):
                slot = TensorSlot.of([tensor], number, byte_offset(tensor))
                slot.assign(slot.view(chunks))
        synchronize(self._torch_device)
        module.to(self._torch_device)  # the rest: tensors that it computed itself or made of those read
        self.uploaded += chunks
        self._open.clear()
        return module

    def _plan(self, files: Iterable[Path], wanted: DtypeRule, *, as_mapped: bool) -> list[_Chunk]:
        """Return the chunks with their sizes and reads."""
        stored = [(one, kind) for one in read_index(files) if (kind := wanted(one.name, one.dtype)) is not None]
        names = Counter(one.name for one, _ in stored)
        for name, count in names.items():
            if count > 1:
                raise ModelLoadFailed(f"{stored[0][0].file.parent.name} has the tensor {name} twice.")
        leads = [one.start % ALIGNMENT if as_mapped and kind == one.dtype else 0 for one, kind in stored]
        rooms = (lead + one.numel * kind.itemsize for lead, (one, kind) in zip(leads, stored, strict=True))
        places, sizes = allocate(rooms, self._chunk_bytes)
        chunks = [(size, list[_TensorRead]()) for size in sizes]
        for (one, kind), (number, start), lead in zip(stored, places, leads, strict=True):
            chunks[number][1].append(_TensorRead(one, kind, start + lead))
        return chunks

    def _read_in_place(self, pool: Executor, plan: list[_Chunk]) -> Iterator[torch.Tensor]:
        """Read each chunk into host memory of its own; on a GPU it is sent while the next one is read."""
        before: torch.Tensor | None = None
        for size, parts in plan:
            memory = HostBlock(size).memory
            reading = [pool.submit(one.fill, memory, 0) for one in _reads(parts)]
            if before is not None:
                self._open_copy(before)
            for read in reading:
                read.result()
            yield memory
            before = memory
        if before is not None:
            self._open_copy(before)

    def _open_copy(self, memory: torch.Tensor) -> None:
        """Begin the copy of a chunk to the device, where that is another place."""
        if self._staging is not None:
            on_device = torch.empty(len(memory), dtype=torch.uint8, device=self._torch_device)
            self._open.append((memory, on_device.copy_(memory, non_blocking=True)))

    def _send(self, pool: Executor, plan: list[_Chunk]) -> Iterator[torch.Tensor]:
        """Send each chunk to the device, a block at a time, and read the next block meanwhile."""
        assert self._staging is not None
        for size, parts in plan:
            on_device = torch.empty(size, dtype=torch.uint8, device=self._torch_device)
            self.uploaded.append(on_device)
            for reads in _by_block(_reads(parts), self._staging.size):
                begin, end = reads[0].start, reads[-1].end
                memory = self._staging.take(end - begin)
                for _ in pool.map(_ValuesRead.fill, reads, repeat(memory), repeat(begin)):
                    pass
                self._staging.send(on_device[begin:end])
            yield on_device


def _reads(parts: Iterable[_TensorRead]) -> list[_ValuesRead]:
    return [_ValuesRead(part, first, count) for part in parts for first, count in plan_reads(part.stored)]


def _by_block(reads: Iterable[_ValuesRead], size: int) -> Iterator[list[_ValuesRead]]:
    """Yield the reads of a chunk in groups that fit into a block of `size` bytes."""
    group = list[_ValuesRead]()
    for read in reads:
        if group and read.end - group[0].start > size:
            yield group
            group = []
        group.append(read)
    if group:
        yield group
