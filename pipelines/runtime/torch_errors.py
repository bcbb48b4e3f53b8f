"""What an error of torch, CUDA or ONNX Runtime stands for, by its class and its words. No torch.

Only memory that torch itself manages has an error class of its own; what CUDA's libraries and ONNX Runtime can not
allocate is told in words alone.
"""

from collections.abc import Iterator

_NO_MEMORY = ("out of memory", "alloc_failed", "failed to allocate memory")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether the device or the process ran out of memory: another model may have to leave."""
    return any(
        isinstance(one, MemoryError)
        or type(one).__name__ == "OutOfMemoryError"
        or any(words in str(one).lower() for words in _NO_MEMORY)
        for one in _chain(error)
    )


def is_device_fault(error: BaseException) -> bool:
    """Whether the device is broken for this process: only a fresh one can use it again."""
    return not is_out_of_memory(error) and any(
        type(one).__name__ == "AcceleratorError" or "CUDA error" in str(one) for one in _chain(error)
    )


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """The error and what it was raised from."""
    while error is not None:
        yield error
        error = error.__cause__
