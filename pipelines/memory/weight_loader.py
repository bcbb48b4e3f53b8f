"""Weights from files onto a device: into host memory by large reads, from there by large copies.

With a GPU the host memory is pinned. Where there is room it is kept as the master copy from which an offloaded model is
restored (`pipelines.memory.offload`); else the next chunk is read into it. On the CPU, where nothing is kept, weights
stay where they were read.
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
    CHUNK_BYTES,
    HostBlock,
    TensorSlot,
    UploadedChunk,
    allocate,
    byte_offset,
    is_dense,
    storage_address,
    synchronize,
    tensors_of,
)
from pipelines.memory.safetensors_reader import StoredTensor, plan_reads, read_index, read_values

M = TypeVar("M", bound=nn.Module)

DtypeRule = Callable[[str, torch.dtype], torch.dtype | None]
"""The dtype to convert a tensor to, by its name and its dtype in the file; `None` leaves it in the file."""

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


class _SpareBlock(msgspec.Struct, frozen=True, eq=False):
    """Host memory that can be read into again once its content was sent."""

    block: HostBlock
    wait: Callable[[], None]


class WeightLoader:
    """One load of a model onto `device`: `read` files, build a module of the result, then call `to_device`.

    With `keep_host_copy` the weights stay in host memory as well.
    """

    def __init__(self, device: str, *, keep_host_copy: bool = False, chunk: int = CHUNK_BYTES) -> None:
        self.device = device
        self.uploaded = list[UploadedChunk]()
        """Chunks that were sent to the device, of all modules."""
        self._torch_device = torch.device(device)
        self._keeps_host_copy = keep_host_copy
        self._chunk_bytes = chunk
        self._open = list[tuple[HostBlock, torch.Tensor]]()
        self._spare = list[_SpareBlock]()
        self._can_pin = True

    def read(
        self, files: Iterable[Path], wanted: DtypeRule, *, sent: bool = True, as_mapped: bool = False
    ) -> dict[str, torch.Tensor]:
        """Return the tensors of safetensors files by name, in the dtype of the rule `wanted`.

        - `sent`: return the tensors on the device. Two blocks of host memory then serve any number of chunks. Else
          return those in host memory, valid until `to_device`, for a library that changes them first.
        - `as_mapped`: tensors that stay where they are read begin at the addresses of a mapped file, modulo
          `ALIGNMENT`. On a CPU the last bit of a sum depends on that, and the numbers must equal those of the
          libraries.

        Raises `ModelLoadFailed` for a broken file and for a name that two files have, `MemoryError`, and torch's out of
        memory.
        """
        tensors = dict[str, torch.Tensor]()
        with ThreadPoolExecutor(_READERS) as pool:
            for size, parts in self._plan(files, wanted, as_mapped=as_mapped and self._reads_in_place):
                block = self._block(size)
                reads = [read for part in parts for read in plan_reads(part.stored, part.flat(block.memory))]
                for _ in pool.map(lambda read: read_values(*read), reads):
                    pass
                on_device = self._send(block, size)
                memory = on_device if sent else block.memory
                tensors |= {part.stored.name: part.flat(memory).view(part.stored.shape) for part in parts}
                if sent:
                    self._release(block, on_device)
                else:
                    self._open.append((block, on_device))
        return tensors

    def to_device(self, module: M) -> M:
        """Return the module with everything on the device; tensors read for it use the copies under way."""
        numbers = {storage_address(block.memory): number for number, (block, _) in enumerate(self._open)}
        chunks = [on_device for _, on_device in self._open]
        for tensor in tensors_of([module]):
            number = numbers.get(storage_address(tensor))
            if number is not None and is_dense(tensor):
                slot = TensorSlot([tensor], number, byte_offset(tensor))
                slot.assign(slot.view(chunks))
        synchronize(self._torch_device)
        module.to(self._torch_device)  # the rest: tensors that it computed itself or made of those read
        for block, on_device in self._open:
            self._release(block, on_device)
        self._open.clear()
        return module

    def _plan(
        self, files: Iterable[Path], wanted: DtypeRule, *, as_mapped: bool
    ) -> list[tuple[int, list[_TensorRead]]]:
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

    def _block(self, size: int) -> HostBlock:
        """Return memory for a chunk, a spare block if possible: pinning takes longer than reading.

        Two blocks take turns: one is read into while the other is sent.
        """
        fit = [spare for spare in self._spare if spare.block.memory.numel() >= size]
        if len(fit) < 2:
            return HostBlock(size)
        self._spare.remove(fit[0])
        fit[0].wait()
        return fit[0].block

    def _send(self, block: HostBlock, size: int) -> torch.Tensor:
        """Return the chunk on the device; the copy may still be under way."""
        if self._reads_in_place:
            return block.memory
        on_device = torch.empty(size, dtype=torch.uint8, device=self._torch_device)
        self._can_pin = self._can_pin and block.pin(self._torch_device)  # pages that were touched are pinned faster
        return on_device.copy_(block.memory[:size], non_blocking=True)

    def _release(self, block: HostBlock, on_device: torch.Tensor) -> None:
        """Record the chunk, whose copy is under way; nothing else reads the block in host memory."""
        if self._reads_in_place:
            return
        self.uploaded.append(UploadedChunk(on_device, block if self._keeps_host_copy else None))
        if not self._keeps_host_copy:
            self._spare.append(_SpareBlock(block, _pending_copies(self._torch_device)))

    @property
    def host_bytes(self) -> int:
        """Bytes of host memory that are kept."""
        return sum(one.host.memory.numel() for one in self.uploaded if one.host is not None)

    @property
    def _reads_in_place(self) -> bool:
        return self._torch_device.type == "cpu" and not self._keeps_host_copy


def _pending_copies(device: torch.device) -> Callable[[], None]:
    """Return a function that waits for the copies begun so far."""
    if device.type != "cuda":
        return lambda: None
    event = torch.cuda.Event()  # type: ignore[no-untyped-call]
    event.record(torch.cuda.current_stream(device))
    return event.synchronize
