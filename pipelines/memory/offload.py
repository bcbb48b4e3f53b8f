"""A model's weights on the device or in host memory: one master copy, moved in large chunks.

The weights are only read, so one copy in host memory is valid for good. Offloading points every tensor at it, which
costs nothing. Restoring fills a few large chunks on the device as fast as the bus allows (pinned memory, one copy per
chunk) and points the tensors there. Tensors that are not registered with a module stay where they are.

The copy is made after the load, in memory that is ready for it (`pipelines.memory.pinned_pool`): chunk by chunk while
the engine is idle, or what is missing at once when the model leaves.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence

import torch
from torch import nn

from pipelines.memory.chunks import (
    CHUNK_BYTES,
    HostBlock,
    TensorSlot,
    aligned,
    allocate,
    byte_offset,
    bytes_of,
    is_dense,
    recurrent,
    storage_address,
    synchronize,
    tensors_of,
)
from pipelines.memory.pinned_pool import FreshMemory, HostMemory

_MIN_USED_SHARE = 0.9
"""A chunk that was read is reused only if weights fill at least this share of it; the rest is unused or has changed."""

_CONVERTED_AT_ONCE = 2**24
"""Values of float8 that are converted at once: 64 MiB of float32."""

_NOWHERE = torch.empty(0, dtype=torch.uint8)


class Offload:
    """The weights of some modules, which lie on `device`: some in chunks of `uploaded`."""

    def __init__(
        self,
        modules: Iterable[nn.Module],
        device: str,
        chunk: int = CHUNK_BYTES,
        uploaded: Sequence[torch.Tensor] = (),
        host_memory: HostMemory | None = None,
    ) -> None:
        modules = list(modules)
        self._device = torch.device(device)
        groups = _tied_tensors(modules)
        used = _reusable_chunks(groups, uploaded)
        self._slots, self._sizes = _plan_slots(groups, used, chunk)
        self._recurrent = recurrent(modules)
        self._host_memory = host_memory or FreshMemory(device)
        self._master: list[HostBlock | None] = [None] * len(self._sizes)
        self.bytes = sum(slot.bytes for slot in self._slots)
        """Size of the weights, without the alignment."""
        _detach(
            groups,
            {storage_address(one) for one in uploaded} - {storage_address(one) for one in used},
        )

    @property
    def has_master(self) -> bool:
        """Whether there is a copy in host memory."""
        return bool(self._master) and None not in self._master

    @property
    def host_bytes(self) -> int:
        """Bytes of the weights that the copy has, also an unfinished one."""
        return sum(slot.bytes for slot in self._slots if self._master[slot.chunk] is not None)

    def copy_chunk(self) -> bool:
        """Copy one more chunk into host memory; return whether there was memory ready for it.

        What is missing of the copy is wanted of the host memory from now on.
        """
        missing = self._missing()
        self._host_memory.want([self._sizes[number] for number in missing])
        try:
            self._copy(missing[:1])
        except MemoryError:
            return False
        return True

    def offload(self) -> None:
        """Move off the device; copy what the master copy lacks. Raises `MemoryError` where no memory is ready for it.

        The weights stay on the device then.
        """
        self._copy(self._missing())
        self._assign(self._copies())

    def restore(self) -> None:
        """Move back to the device. Raises torch's out of memory; the weights then stay offloaded."""
        with self._host_memory.undisturbed():
            on_device = [torch.empty(size, dtype=torch.uint8, device=self._device) for size in self._sizes]
            for target, source in zip(on_device, self._copies(), strict=True):
                target.copy_(source, non_blocking=True)
            synchronize(self._device)
        self._assign(on_device)
        for part in self._recurrent:
            part.flatten_parameters()

    def drop(self) -> None:
        """Give the master copy back; for weights that are on the device or will not be used again."""
        self._host_memory.give_back([block for block in self._master if block is not None])
        self._master = [None] * len(self._sizes)

    def is_finite(self) -> bool:
        """Return whether no weight is NaN or infinite, which would mean that its memory is broken."""
        floating = [slot.tensors[0] for slot in self._slots if slot.tensors[0].is_floating_point()]
        return all(map(_is_finite, floating))

    def _missing(self) -> list[int]:
        """Return the numbers of the chunks that the master copy lacks."""
        return [number for number, block in enumerate(self._master) if block is None]

    def _copy(self, numbers: list[int]) -> None:
        """Copy these chunks into host memory. Raises `MemoryError`."""
        blocks = dict(zip(numbers, self._host_memory.borrow([self._sizes[number] for number in numbers]), strict=True))
        try:
            self._fill(blocks)
        except BaseException:
            self._host_memory.give_back(blocks.values())
            raise
        for number, block in blocks.items():
            self._master[number] = block

    def _fill(self, blocks: dict[int, HostBlock]) -> None:
        memories = [blocks[number].memory if number in blocks else _NOWHERE for number in range(len(self._sizes))]
        for slot in self._slots:
            if slot.chunk in blocks:
                slot.view(memories).copy_(slot.tensors[0], non_blocking=True)
        synchronize(self._device)

    def _copies(self) -> list[torch.Tensor]:
        """Return the chunks of the master copy."""
        blocks = [block for block in self._master if block is not None]
        assert len(blocks) == len(self._sizes), "a restore needs a master copy"
        return [block.memory[:size] for block, size in zip(blocks, self._sizes, strict=True)]

    def _assign(self, chunks: list[torch.Tensor]) -> None:
        for slot in self._slots:
            slot.assign(slot.view(chunks))


def _is_finite(tensor: torch.Tensor) -> bool:
    if tensor.element_size() > 1:
        return bool(torch.isfinite(tensor).all())
    # Of float8 torch cannot say it, so a part at a time is converted.
    return all(bool(torch.isfinite(part.float()).all()) for part in torch.split(tensor.reshape(-1), _CONVERTED_AT_ONCE))


def _tied_tensors(modules: Iterable[nn.Module]) -> list[list[torch.Tensor]]:
    """Return every tensor, grouped with those that are the same memory in the same shape."""
    groups = defaultdict[tuple[object, ...], list[torch.Tensor]](list)
    for tensor in tensors_of(modules):
        groups[storage_address(tensor), tensor.storage_offset(), tensor.shape, tensor.stride()].append(tensor)
    return list(groups.values())


def _reusable_chunks(groups: Iterable[list[torch.Tensor]], uploaded: Iterable[torch.Tensor]) -> list[torch.Tensor]:
    """Return the chunks that are mostly weights of these modules."""
    taken = defaultdict[int, int](int)
    for first, *_ in groups:
        taken[storage_address(first)] += aligned(bytes_of(first))
    return [one for one in uploaded if taken[storage_address(one)] >= _MIN_USED_SHARE * one.numel()]


def _plan_slots(
    groups: Iterable[list[torch.Tensor]], used: Sequence[torch.Tensor], chunk: int
) -> tuple[list[TensorSlot], list[int]]:
    """Return a slot for every tensor, and the sizes of the chunks.

    A tensor keeps its place where it lies in a used chunk.
    """
    numbers = {storage_address(one): number for number, one in enumerate(used)}
    slots, others = list[TensorSlot](), list[list[torch.Tensor]]()
    for tensors in groups:
        number = numbers.get(storage_address(tensors[0]))
        if number is not None and is_dense(tensors[0]):
            slots.append(TensorSlot.of(tensors, number, byte_offset(tensors[0])))
        else:
            others.append(tensors)
    places, sizes = allocate((bytes_of(tensors[0]) for tensors in others), chunk)
    slots += [
        TensorSlot.of(tensors, len(used) + number, start)
        for tensors, (number, start) in zip(others, places, strict=True)
    ]
    return slots, [one.numel() for one in used] + sizes


def _detach(groups: Iterable[list[torch.Tensor]], homes: set[int]) -> None:
    """Give the few tensors in these chunks memory of their own, so that the chunks are freed."""
    for tensors in groups:
        if storage_address(tensors[0]) in homes:
            values = tensors[0].clone()
            for tensor in tensors:
                tensor.data = values
