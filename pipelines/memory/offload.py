"""A model's weights on the device, or parked in host memory: one master copy, moved in large pieces.

The weights are only read, so one copy in host memory stands for them for good. Parking points every tensor at it,
which costs nothing; waking fills a few large pieces on the device, as fast as the bus can (pinned memory, one copy for
each piece), and points the tensors there. Tensors that are not registered with a module stay where they are.

What was read into host memory by `pipelines.memory.weight_loader` and kept there is the master copy from the start.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence

import torch
from torch import nn

from pipelines.memory.chunks import (
    PIECE,
    HostBlock,
    TensorSlot,
    UploadedChunk,
    aligned,
    allot,
    bytes_of,
    home_of,
    is_dense,
    recurrent,
    start_of,
    synchronize,
    tensors_of,
)

_LEAST_USED = 0.9
"""Of a piece that was read: one that holds more of what the model did not take, or has changed since, is left."""


class Offload:
    """The weights of some modules, which lie on `device` when this is made: some in pieces that have `landed`."""

    def __init__(
        self, modules: Iterable[nn.Module], device: str, piece: int = PIECE, landed: Sequence[UploadedChunk] = ()
    ) -> None:
        modules = list(modules)
        self._device = torch.device(device)
        groups = _shared(modules)
        used = _used(groups, landed)
        self._slots, self._sizes = _plan(groups, used, piece)
        self._recurrent = recurrent(modules)
        self._master: list[HostBlock | None] = [one.host for one in used] + [None] * (len(self._sizes) - len(used))
        self.bytes = sum(bytes_of(slot.tensors[0]) for slot in self._slots)
        """Of the weights, without what aligns them."""
        _leave(groups, {home_of(one.there) for one in landed} - {home_of(one.there) for one in used})
        if any(self._master):
            self._complete_or_forget()

    @property
    def has_master(self) -> bool:
        """Whether there is a copy in host memory."""
        return bool(self._master) and None not in self._master

    def offload(self) -> None:
        """Leave the device; the first time the master copy is made. Raises `MemoryError` where it has no room."""
        self._complete()
        self._point(self._copies())

    def restore(self) -> None:
        """Back to the device. Raises torch's out of memory; it stays parked then."""
        there = [torch.empty(size, dtype=torch.uint8, device=self._device) for size in self._sizes]
        for target, source in zip(there, self._copies(), strict=True):
            target.copy_(source, non_blocking=True)
        synchronize(self._device)
        self._point(there)
        for part in self._recurrent:
            part.flatten_parameters()

    def drop(self) -> None:
        """Give the master copy back; for weights that are on the device, or will not be used again."""
        self._master = [None] * len(self._sizes)

    def is_finite(self) -> bool:
        """Whether no weight is NaN or infinite: one that became so lay in memory that is broken."""
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
            if slot.piece in new:
                slot.view(copies).copy_(slot.tensors[0], non_blocking=True)
        synchronize(self._device)
        self._master = list(master)

    def _copies(self) -> list[torch.Tensor]:
        """The master copy."""
        blocks = [block for block in self._master if block is not None]
        assert len(blocks) == len(self._sizes), "only what was parked can be woken"
        return [block.memory[:size] for block, size in zip(blocks, self._sizes, strict=True)]

    def _point(self, pieces: list[torch.Tensor]) -> None:
        for slot in self._slots:
            slot.point(slot.view(pieces))


def _shared(modules: Iterable[nn.Module]) -> list[list[torch.Tensor]]:
    """Every tensor, together with those that are the same memory in the same shape."""
    groups = defaultdict[tuple[object, ...], list[torch.Tensor]](list)
    for tensor in tensors_of(modules):
        groups[home_of(tensor), tensor.storage_offset(), tensor.shape, tensor.stride()].append(tensor)
    return list(groups.values())


def _used(groups: Iterable[list[torch.Tensor]], landed: Iterable[UploadedChunk]) -> list[UploadedChunk]:
    """The pieces that are mostly weights of these modules."""
    taken = defaultdict[int, int](int)
    for first, *_ in groups:
        taken[home_of(first)] += aligned(bytes_of(first))
    return [one for one in landed if taken[home_of(one.there)] >= _LEAST_USED * one.there.numel()]


def _plan(
    groups: Iterable[list[torch.Tensor]], used: Sequence[UploadedChunk], piece: int
) -> tuple[list[TensorSlot], list[int]]:
    """A place for every tensor, its own where it lies in a piece that is used, and the sizes of the pieces."""
    numbers = {home_of(one.there): number for number, one in enumerate(used)}
    slots, others = list[TensorSlot](), list[list[torch.Tensor]]()
    for tensors in groups:
        number = numbers.get(home_of(tensors[0]))
        if number is not None and is_dense(tensors[0]):
            slots.append(TensorSlot(tensors, number, start_of(tensors[0])))
        else:
            others.append(tensors)
    places, sizes = allot((bytes_of(tensors[0]) for tensors in others), piece)
    slots += [
        TensorSlot(tensors, len(used) + number, start) for tensors, (number, start) in zip(others, places, strict=True)
    ]
    return slots, [one.there.numel() for one in used] + sizes


def _leave(groups: Iterable[list[torch.Tensor]], homes: set[int]) -> None:
    """Give what little lies there memory of its own, so that the pieces are freed."""
    for tensors in groups:
        if home_of(tensors[0]) in homes:
            values = tensors[0].clone()
            for tensor in tensors:
                tensor.data = values
