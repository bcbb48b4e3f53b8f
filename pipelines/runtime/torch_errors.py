"""Classification of errors of torch, CUDA and ONNX Runtime by class and text. No torch.

Only memory that torch manages has an error class. Failed allocations of CUDA's libraries and of ONNX Runtime show in
the text alone, and so do faults that torch did not find itself. The words are in small letters.
"""

from collections.abc import Iterator

_NO_MEMORY = (
    *("out of memory", "alloc_failed", "allocation_failed", "failed to allocate memory"),
    # A convolution without room for the workspace of any of its algorithms
    *("unable to find an engine to execute this computation", "unable to find a valid cudnn algorithm"),
    "nvml_success == r",  # torch asks for the numbers of its out-of-memory error, which a MIG slice may not see
)
_DEVICE_FAULT = (
    *("cuda error", "cuda driver error", "cuda failure", "triton error [cuda]"),
    # Other states of cuDNN, such as NOT_SUPPORTED, are about the call and not about the device.
    *("cudnn_status_execution_failed", "cudnn_status_internal_error", "cudnn_status_mapping_error"),
    "cudnn_status_not_initialized",
)
"""How torch, its launches through the driver, ONNX Runtime, Triton and cuDNN begin an error of the device."""


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
        type(one).__name__ == "AcceleratorError" or any(words in str(one).lower() for words in _DEVICE_FAULT)
        for one in _chain(error)
    )


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield the error and the errors that caused it."""
    while error is not None:
        yield error
        error = error.__cause__
