"""Chunks: large blocks of memory that hold the tensors of a model side by side and are copied whole.

A chunk on the device and its counterpart in host memory hold the same tensors at the same offsets, so a tensor moves by
being assigned a view of the other chunk.
"""

import logging
import sys
from collections.abc import Iterable
from contextlib import suppress

import msgspec
import torch
from torch import nn

log = logging.getLogger(__name__)

CHUNK_BYTES = 2**30
"""Size of a chunk; a larger tensor has one of its own."""
ALIGNMENT = 512
"""Alignment of a tensor within its chunk, in bytes: that of CUDA's own allocator."""


class TensorSlot(msgspec.Struct, frozen=True):
    """A tensor and its place: the number of the chunk and the first byte in it.

    It remembers the tensor's form, so that a model that was left in another precision comes back in its own.
    """

    tensors: list[torch.Tensor]
    """All tensors that share the place: tied weights."""
    chunk: int
    start: int
    dtype: torch.dtype
    shape: torch.Size
    stride: tuple[int, ...]
    """Of the values in the chunk; those of a tensor with gaps have none there."""

    @classmethod
    def of(cls, tensors: list[torch.Tensor], chunk: int, start: int) -> "TensorSlot":
        """Return the slot of these tensors in their present form."""
        first = tensors[0]
        strides = first.stride() if is_dense(first) else torch.empty(first.shape, device="meta").stride()
        return cls(tensors, chunk, start, first.dtype, first.shape, strides)

    @property
    def bytes(self) -> int:
        """Bytes of the values."""
        return self.shape.numel() * self.dtype.itemsize

    def view(self, chunks: list[torch.Tensor]) -> torch.Tensor:
        """Return the tensor's values in `chunks`, in its shape and with its strides."""
        flat = chunks[self.chunk][self.start : self.start + self.bytes].view(self.dtype)
        return flat.as_strided(self.shape, self.stride)

    def assign(self, values: torch.Tensor) -> None:
        """Make these the values of the tensor, and of all that share its place."""
        for tensor in self.tensors:
            tensor.data = values


class HostBlock:
    """Host memory that a GPU can copy from and to by itself once it is pinned; deletion unpins it.

    torch's own pinned memory is not used: torch rounds it up to a power of two and keeps it when it is freed.
    """

    def __init__(self, size: int) -> None:
        """Allocate `size` bytes. Raises `MemoryError`."""
        try:
            self.memory = torch.empty(size, dtype=torch.uint8)
        except RuntimeError as error:
            raise MemoryError(f"Host memory has no room for {size} bytes of weights.") from error
        self._is_pinned = False

    def pin(self, device: torch.device) -> bool:
        """Pin the block for a GPU and return whether that worked; does nothing on the CPU."""
        if device.type != "cuda" or self._is_pinned:
            return True
        status = int(torch.cuda.cudart().cudaHostRegister(self.memory.data_ptr(), self.memory.numel(), 0))  # type: ignore[no-untyped-call]
        self._is_pinned = status == 0
        if status != 0:
            log.warning("host memory could not be pinned (CUDA error %d): weights will move more slowly", status)
            with suppress(RuntimeError):  # the error stays pending and would fail the next kernel
                torch.zeros(1, device=device)
                torch.cuda.synchronize(device)
        return self._is_pinned

    def __del__(self) -> None:
        if getattr(self, "_is_pinned", False) and not sys.is_finalizing():
            torch.cuda.cudart().cudaHostUnregister(self.memory.data_ptr())  # type: ignore[no-untyped-call]


def allocate(sizes: Iterable[int], chunk: int) -> tuple[list[tuple[int, int]], list[int]]:
    """Place tensors of these sizes into chunks of `chunk` bytes.

    Returns the place of each, as the number of a chunk and the first byte in it, and the sizes of the chunks.
    """
    places, chunks = list[tuple[int, int]](), list[int]()
    for size in sizes:
        room = aligned(size)
        if not chunks or chunks[-1] + room > chunk:
            chunks.append(0)
        places.append((len(chunks) - 1, chunks[-1]))
        chunks[-1] += room
    return places, chunks


def aligned(size: int) -> int:
    """Return the bytes of a chunk that a tensor of `size` bytes takes."""
    return -(-max(size, 1) // ALIGNMENT) * ALIGNMENT


def tensors_of(modules: Iterable[nn.Module]) -> Iterable[torch.Tensor]:
    """Yield every parameter and buffer that is not empty, each once; of a wrapper, which has no memory, its parts."""
    seen = set[int]()
    for module in modules:
        for whole in (*module.parameters(), *module.buffers()):
            for tensor in _unwrapped(whole):
                if id(tensor) not in seen and tensor.numel():
                    seen.add(id(tensor))
                    yield tensor


def _unwrapped(tensor: torch.Tensor) -> Iterable[torch.Tensor]:
    """Yield the tensor, or what a wrapper subclass is made of: quantized values and their scales, in torchao's case.

    https://docs.pytorch.org/docs/stable/notes/extending.html#subclassing-torch-tensor
    """
    if not hasattr(tensor, "__tensor_flatten__"):
        yield tensor
        return
    names, _ = tensor.__tensor_flatten__()
    for name in names:
        yield from _unwrapped(getattr(tensor, name))


def recurrent(modules: Iterable[nn.Module]) -> list[nn.RNNBase]:
    """Return the submodules whose weights cuDNN needs in one block, which `flatten_parameters` makes."""
    return [part for module in modules for part in module.modules() if isinstance(part, nn.RNNBase)]


def synchronize(device: torch.device) -> None:
    """Wait for the copies to or from a GPU."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def storage_address(tensor: torch.Tensor) -> int:
    """Return the address of the memory that the tensor is a part of."""
    return tensor.untyped_storage().data_ptr()


def bytes_of(tensor: torch.Tensor) -> int:
    """Return the bytes of the tensor's values."""
    return tensor.numel() * tensor.element_size()


def byte_offset(tensor: torch.Tensor) -> int:
    """Return the tensor's first byte within its memory."""
    return int(tensor.storage_offset()) * tensor.element_size()


def is_dense(tensor: torch.Tensor) -> bool:
    """Return whether the tensor's values lie side by side in memory, in any order, such as channels last."""
    expected = 1
    for size, stride in sorted(zip(tensor.shape, tensor.stride(), strict=True), key=lambda pair: pair[1]):
        if size != 1 and stride != expected:
            return False
        expected *= size
    return True
