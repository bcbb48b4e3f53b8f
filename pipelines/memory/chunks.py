"""Pieces: large blocks of memory in which the tensors of a model lie side by side, moved by one copy each.

A piece on the device and its like in host memory hold the same tensors at the same places, so that a tensor is moved
by pointing it at the other piece.
"""

import logging
import sys
from collections.abc import Iterable
from contextlib import suppress

import msgspec
import torch
from torch import nn

log = logging.getLogger(__name__)

PIECE = 2**30
"""Bytes of a piece; a tensor that is larger has one of its own."""
ALIGNMENT = 512
"""Of a tensor within its piece, in bytes: what CUDA's own allocator keeps to."""


class TensorSlot(msgspec.Struct, frozen=True):
    """A tensor and its place: the number of the piece and the first byte in it."""

    tensors: list[torch.Tensor]
    """All that share the place: tied weights."""
    piece: int
    start: int

    def view(self, pieces: list[torch.Tensor]) -> torch.Tensor:
        """The tensor's values in `pieces`, in its shape and with its strides."""
        like = self.tensors[0]
        flat = pieces[self.piece][self.start : self.start + bytes_of(like)].view(like.dtype)
        return flat.as_strided(like.shape, like.stride()) if is_dense(like) else flat.view(like.shape)

    def point(self, values: torch.Tensor) -> None:
        """Make these the values of the tensor, and of all that share its place."""
        for tensor in self.tensors:
            tensor.data = values


class HostBlock:
    """Host memory, which a GPU can read and write by itself once it is pinned; let go of, it is unpinned.

    Not torch's own pinned memory: that is rounded up to a power of two, and kept when it is given back.
    """

    def __init__(self, size: int) -> None:
        """Raises `MemoryError`."""
        try:
            self.memory = torch.empty(size, dtype=torch.uint8)
        except RuntimeError as error:
            raise MemoryError(f"{size} bytes of weights have no room in host memory") from error
        self._is_pinned = False

    def pin(self, device: torch.device) -> bool:
        """Keep it where it is for the sake of a GPU; whether that was possible. Nothing to do on the CPU."""
        if device.type != "cuda" or self._is_pinned:
            return True
        status = int(torch.cuda.cudart().cudaHostRegister(self.memory.data_ptr(), self.memory.numel(), 0))  # type: ignore[no-untyped-call]
        self._is_pinned = status == 0
        if status != 0:
            log.warning("host memory could not be pinned (CUDA error %d): weights will move more slowly", status)
            with suppress(RuntimeError):  # the refusal stays pending, and the next kernel would be blamed for it
                torch.zeros(1, device=device)
                torch.cuda.synchronize(device)
        return self._is_pinned

    def __del__(self) -> None:
        if getattr(self, "_is_pinned", False) and not sys.is_finalizing():
            torch.cuda.cudart().cudaHostUnregister(self.memory.data_ptr())  # type: ignore[no-untyped-call]


class UploadedChunk(msgspec.Struct, frozen=True):
    """A piece on the device, and the same in host memory where that was kept."""

    there: torch.Tensor
    host: HostBlock | None = None


def allot(sizes: Iterable[int], piece: int) -> tuple[list[tuple[int, int]], list[int]]:
    """Places for so many bytes each, as the number of a piece and the first byte in it, and the sizes of the pieces."""
    places, pieces = list[tuple[int, int]](), list[int]()
    for size in sizes:
        room = aligned(size)
        if not pieces or pieces[-1] + room > piece:
            pieces.append(0)
        places.append((len(pieces) - 1, pieces[-1]))
        pieces[-1] += room
    return places, pieces


def aligned(size: int) -> int:
    """The bytes of a piece that a tensor of so many takes."""
    return -(-max(size, 1) // ALIGNMENT) * ALIGNMENT


def tensors_of(modules: Iterable[nn.Module]) -> Iterable[torch.Tensor]:
    """Every parameter and buffer once, those of nothing left out."""
    seen = set[int]()
    for module in modules:
        for tensor in (*module.parameters(), *module.buffers()):
            if id(tensor) not in seen and tensor.numel():
                seen.add(id(tensor))
                yield tensor


def recurrent(modules: Iterable[nn.Module]) -> list[nn.RNNBase]:
    """The parts whose weights cuDNN wants in one block, which they make for themselves (`flatten_parameters`)."""
    return [part for module in modules for part in module.modules() if isinstance(part, nn.RNNBase)]


def synchronize(device: torch.device) -> None:
    """Wait for the copies to or from a GPU."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def home_of(tensor: torch.Tensor) -> int:
    """The address of the memory that it is a part of."""
    return tensor.untyped_storage().data_ptr()


def bytes_of(tensor: torch.Tensor) -> int:
    """Of its values."""
    return tensor.numel() * tensor.element_size()


def start_of(tensor: torch.Tensor) -> int:
    """Its first byte within that memory."""
    return int(tensor.storage_offset()) * tensor.element_size()


def is_dense(tensor: torch.Tensor) -> bool:
    """Whether its values lie side by side in memory, in whatever order: channels last is one."""
    expected = 1
    for size, stride in sorted(zip(tensor.shape, tensor.stride(), strict=True), key=lambda pair: pair[1]):
        if size != 1 and stride != expected:
            return False
        expected *= size
    return True
