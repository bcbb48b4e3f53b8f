"""A model's weights on the device, or parked in host memory: one master copy, moved in large pieces.

The weights are only read, so one copy in host memory stands for them for good. Parking points every tensor at it,
which costs nothing; waking fills a few large buffers on the device, as fast as the bus can (pinned memory, one copy for
each buffer), and points the tensors there. Tensors that are not registered with a module stay where they are.
"""

import logging
from collections.abc import Iterable
from contextlib import suppress

import msgspec
import torch
from torch import nn

log = logging.getLogger(__name__)

PIECE = 2**30
"""Bytes of a buffer; a tensor that is larger has one of its own."""
ALIGNMENT = 512
"""Of a tensor within its buffer, in bytes: what CUDA's own allocator keeps to."""


class Slot(msgspec.Struct, frozen=True):
    """A tensor and its place: the number of the buffer and the first byte in it."""

    tensors: list[torch.Tensor]
    """All that share the place: tied weights."""
    piece: int
    start: int

    def view(self, buffers: list[torch.Tensor]) -> torch.Tensor:
        """The tensor's values in `buffers`, in its shape and with its strides."""
        like = self.tensors[0]
        flat = buffers[self.piece][self.start : self.start + _bytes(like)].view(like.dtype)
        return flat.as_strided(like.shape, like.stride()) if _is_dense(like) else flat.view(like.shape)


class Parking:
    """The weights of some modules, which lie on `device` when this is made."""

    def __init__(self, modules: Iterable[nn.Module], device: str, piece: int = PIECE) -> None:
        modules = list(modules)
        self._device = torch.device(device)
        self._slots, self._sizes = _plan(modules, piece)
        self._recurrent = [part for module in modules for part in module.modules() if isinstance(part, nn.RNNBase)]
        """cuDNN wants their weights in one piece, which they make for themselves."""
        self._master: list[torch.Tensor] | None = None
        self._is_pinned = False
        self.bytes = sum(_bytes(slot.tensors[0]) for slot in self._slots)
        """Of the weights, without what aligns them."""

    @property
    def has_master(self) -> bool:
        """Whether there is a copy in host memory."""
        return self._master is not None

    def park(self) -> None:
        """Leave the device; the first time the master copy is made. Raises `MemoryError` where it has no room."""
        if self._master is None:
            self._master = self._copy_out()
        self._point(self._master)

    def wake(self) -> None:
        """Back to the device. Raises torch's out of memory; it stays parked then."""
        assert self._master is not None, "only what was parked can be woken"
        there = [torch.empty(size, dtype=torch.uint8, device=self._device) for size in self._sizes]
        for target, source in zip(there, self._master, strict=True):
            target.copy_(source, non_blocking=True)
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)
        self._point(there)
        for part in self._recurrent:
            part.flatten_parameters()  # type: ignore[no-untyped-call]

    def forget(self) -> None:
        """Give the master copy back; for weights that are on the device, or will not be used again."""
        if self._master is not None and self._is_pinned:
            _unpin(self._master)
        self._master, self._is_pinned = None, False

    def is_finite(self) -> bool:
        """Whether no weight is NaN or infinite: one that became so lay in memory that is broken."""
        floating = [slot.tensors[0] for slot in self._slots if slot.tensors[0].is_floating_point()]
        return all(bool(torch.isfinite(tensor).all()) for tensor in floating)

    def _copy_out(self) -> list[torch.Tensor]:
        try:
            master = [torch.empty(size, dtype=torch.uint8) for size in self._sizes]
        except RuntimeError as error:
            raise MemoryError("the master copy has no room in host memory") from error
        self._is_pinned = self._device.type == "cuda" and _pin(master, self._device)
        for slot in self._slots:
            slot.view(master).copy_(slot.tensors[0], non_blocking=True)
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)
        return master

    def _point(self, buffers: list[torch.Tensor]) -> None:
        for slot in self._slots:
            view = slot.view(buffers)
            for tensor in slot.tensors:
                tensor.data = view


def _pin(buffers: list[torch.Tensor], device: torch.device) -> bool:
    """Keep them where they are, so that the device can read them by itself; whether all could be.

    Not by torch's own pinned memory: that is rounded up to a power of two, and kept when it is given back.
    """
    for number, buffer in enumerate(buffers):
        status = int(torch.cuda.cudart().cudaHostRegister(buffer.data_ptr(), buffer.numel(), 0))  # type: ignore[no-untyped-call]
        if status != 0:
            log.warning("host memory could not be pinned (CUDA error %d): models will come back more slowly", status)
            _unpin(buffers[:number])
            with suppress(RuntimeError):  # the refusal stays pending, and the next kernel would be blamed for it
                torch.zeros(1, device=device)
                torch.cuda.synchronize(device)
            return False
    return True


def _unpin(buffers: list[torch.Tensor]) -> None:
    for buffer in buffers:
        torch.cuda.cudart().cudaHostUnregister(buffer.data_ptr())  # type: ignore[no-untyped-call]


def _plan(modules: Iterable[nn.Module], piece: int) -> tuple[list[Slot], list[int]]:
    """A place for every tensor, and the sizes of the buffers."""
    slots, sizes = dict[tuple[object, ...], Slot](), list[int]()
    for tensor in _tensors(modules):
        place = (tensor.untyped_storage().data_ptr(), tensor.storage_offset(), tensor.shape, tensor.stride())
        if place in slots:
            slots[place].tensors.append(tensor)
            continue
        size = -(-_bytes(tensor) // ALIGNMENT) * ALIGNMENT
        if not sizes or sizes[-1] + size > piece:
            sizes.append(0)
        slots[place] = Slot([tensor], len(sizes) - 1, sizes[-1])
        sizes[-1] += size
    return list(slots.values()), sizes


def _tensors(modules: Iterable[nn.Module]) -> Iterable[torch.Tensor]:
    """Every parameter and buffer once, those of nothing left out."""
    seen = set[int]()
    for module in modules:
        for tensor in (*module.parameters(), *module.buffers()):
            if id(tensor) not in seen and tensor.numel():
                seen.add(id(tensor))
                yield tensor


def _bytes(tensor: torch.Tensor) -> int:
    return tensor.numel() * tensor.element_size()


def _is_dense(tensor: torch.Tensor) -> bool:
    """Whether its values lie side by side in memory, in whatever order: channels last is one."""
    expected = 1
    for size, stride in sorted(zip(tensor.shape, tensor.stride(), strict=True), key=lambda pair: pair[1]):
        if size != 1 and stride != expected:
            return False
        expected *= size
    return True
