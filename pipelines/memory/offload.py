"""A model's weights on the device or in host memory: one master copy, moved in large chunks.

The weights are only read, so one copy in host memory is valid for good. Offloading points every tensor at it, which
costs nothing. Restoring fills a few large chunks on the device as fast as the bus allows (pinned memory, one copy per
chunk) and points the tensors there. Tensors that are not registered with a module stay where they are.

Weights that `pipelines.memory.weight_loader` kept in host memory are the master copy from the start.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence

import torch
from torch import nn

from pipelines.memory.chunks import (
    CHUNK_BYTES,
    HostBlock,
    TensorSlot,
    UploadedChunk,
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

_MIN_USED_SHARE = 0.9
"""A chunk that was read is reused only if weights fill at least this share of it; the rest is unused or has changed."""


class Offload:
    """The weights of some modules, which lie on `device`: some in chunks of `uploaded`."""

    def __init__(
        self,
        modules: Iterable[nn.Module],
        device: str,
        chunk: int = CHUNK_BYTES,
        uploaded: Sequence[UploadedChunk] = (),
    ) -> None:
        modules = list(modules)
        self._device = torch.device(device)
        groups = _tied_tensors(modules)
        used = _reusable_chunks(groups, uploaded)
        self._slots, self._sizes = _plan_slots(groups, used, chunk)
        self._recurrent = recurrent(modules)
        self._master: list[HostBlock | None] = [one.host for one in used] + [None] * (len(self._sizes) - len(used))
        self.bytes = sum(bytes_of(slot.tensors[0]) for slot in self._slots)
        """Size of the weights, without the alignment."""
        _detach(
            groups,
            {storage_address(one.on_device) for one in uploaded} - {storage_address(one.on_device) for one in used},
        )
        if any(self._master):
            self._complete_or_forget()

    @property
    def has_master(self) -> bool:
        """Whether there is a copy in host memory."""
        return bool(self._master) and None not in self._master

    def offload(self) -> None:
        """Move off the device; the first time, make the master copy. Raises `MemoryError` if it has no room."""
        self._complete()
        self._assign(self._copies())

    def restore(self) -> None:
        """Move back to the device. Raises torch's out of memory; the weights then stay offloaded."""
        on_device = [torch.empty(size, dtype=torch.uint8, device=self._device) for size in self._sizes]
        for target, source in zip(on_device, self._copies(), strict=True):
            target.copy_(source, non_blocking=True)
        synchronize(self._device)
        self._assign(on_device)
        for part in self._recurrent:
            part.flatten_parameters()

    def drop(self) -> None:
        """Free the master copy; for weights that are on the device or will not be used again."""
        self._master = [None] * len(self._sizes)

    def is_finite(self) -> bool:
        """Return whether no weight is NaN or infinite, which would mean that its memory is broken."""
        floating = [slot.tensors[0] for slot in self._slots if slot.tensors[0].is_floating_point()]
        return all(bool(torch.isfinite(tensor).all()) for tensor in floating)

    def _complete_or_forget(self) -> None:
        try:
            self._complete()
        except MemoryError:
            self.drop()

    def _complete(self) -> None:
        """Copy what has no place in host memory yet."""
        new = {number: HostBlock(self._sizes[number]) for number, block in enumerate(self._master) if block is None}
        for block in new.values():
            if not block.pin(self._device):
                break
        master = [block or new[number] for number, block in enumerate(self._master)]
        copies = [block.memory for block in master]
        for slot in self._slots:
            if slot.chunk in new:
                slot.view(copies).copy_(slot.tensors[0], non_blocking=True)
        synchronize(self._device)
        self._master = list(master)

    def _copies(self) -> list[torch.Tensor]:
        """Return the chunks of the master copy."""
        blocks = [block for block in self._master if block is not None]
        assert len(blocks) == len(self._sizes), "a restore needs a master copy"
        return [block.memory[:size] for block, size in zip(blocks, self._sizes, strict=True)]

    def _assign(self, chunks: list[torch.Tensor]) -> None:
        for slot in self._slots:
            slot.assign(slot.view(chunks))


def _tied_tensors(modules: Iterable[nn.Module]) -> list[list[torch.Tensor]]:
    """Return every tensor, grouped with those that are the same memory in the same shape."""
    groups = defaultdict[tuple[object, ...], list[torch.Tensor]](list)
    for tensor in tensors_of(modules):
        groups[storage_address(tensor), tensor.storage_offset(), tensor.shape, tensor.stride()].append(tensor)
    return list(groups.values())


def _reusable_chunks(groups: Iterable[list[torch.Tensor]], uploaded: Iterable[UploadedChunk]) -> list[UploadedChunk]:
    """Return the chunks that are mostly weights of these modules."""
    taken = defaultdict[int, int](int)
    for first, *_ in groups:
        taken[storage_address(first)] += aligned(bytes_of(first))
    return [one for one in uploaded if taken[storage_address(one.on_device)] >= _MIN_USED_SHARE * one.on_device.numel()]


def _plan_slots(
    groups: Iterable[list[torch.Tensor]], used: Sequence[UploadedChunk], chunk: int
) -> tuple[list[TensorSlot], list[int]]:
    """Return a slot for every tensor, and the sizes of the chunks.

    A tensor keeps its place where it lies in a used chunk.
    """
    numbers = {storage_address(one.on_device): number for number, one in enumerate(used)}
    slots, others = list[TensorSlot](), list[list[torch.Tensor]]()
    for tensors in groups:
        number = numbers.get(storage_address(tensors[0]))
        if number is not None and is_dense(tensors[0]):
            slots.append(TensorSlot(tensors, number, byte_offset(tensors[0])))
        else:
            others.append(tensors)
    places, sizes = allocate((bytes_of(tensors[0]) for tensors in others), chunk)
    slots += [
        TensorSlot(tensors, len(used) + number, start) for tensors, (number, start) in zip(others, places, strict=True)
    ]
    return slots, [one.on_device.numel() for one in used] + sizes


def _detach(groups: Iterable[list[torch.Tensor]], homes: set[int]) -> None:
    """Give the few tensors in these chunks memory of their own, so that the chunks are freed."""
    for tensors in groups:
        if storage_address(tensors[0]) in homes:
            values = tensors[0].clone()
            for tensor in tensors:
                tensor.data = values
