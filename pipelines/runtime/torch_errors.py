"""Classification of errors of torch, CUDA and ONNX Runtime by class and text. No torch.

Only memory that torch manages has an error class. Failed allocations of CUDA's libraries and of ONNX Runtime show in
the text alone.
"""

from collections.abc import Iterator

_NO_MEMORY = ("out of memory", "alloc_failed", "failed to allocate memory")


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether the device or the process ran out of memory, so that another model may have to go."""
    return any(
        isinstance(one, MemoryError)
        or type(one).__name__ == "OutOfMemoryError"
        or any(words in str(one).lower() for words in _NO_MEMORY)
        for one in _chain(error)
    )


def is_device_fault(error: BaseException) -> bool:
    """Return whether the device is broken for this process; only a new process can use it again."""
    return not is_out_of_memory(error) and any(
        type(one).__name__ == "AcceleratorError" or "CUDA error" in str(one) for one in _chain(error)
    )


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield the error and the errors that caused it."""
    while error is not None:
        yield error
        error = error.__cause__
