"""What an error stands for."""

import pytest

from pipelines.runtime.torch_errors import is_device_fault, is_out_of_memory


class OutOfMemoryError(RuntimeError):
    """Torch's, by name."""


class AcceleratorError(RuntimeError):
    """Torch's, by name."""


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        OutOfMemoryError("tried to allocate 2 GiB"),
        AcceleratorError("CUDA error: out of memory"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate"),
        RuntimeError("[ONNXRuntimeError] : 6 : Failed to allocate memory for requested buffer of size 123"),
    ],
)
def test_memory_that_ran_out_is_not_a_broken_device(error: Exception) -> None:
    assert (True, False) == (is_out_of_memory(error), is_device_fault(error))


@pytest.mark.parametrize(
    "error",
    [AcceleratorError("device-side assert"), RuntimeError("CUDA error: an illegal memory access was encountered")],
)
def test_a_broken_device_is_not_memory_that_ran_out(error: Exception) -> None:
    assert (False, True) == (is_out_of_memory(error), is_device_fault(error))


def test_what_an_error_was_raised_from_counts() -> None:
    outer = ValueError("the layer failed")
    outer.__cause__ = AcceleratorError("CUDA error: unspecified launch failure")

    assert is_device_fault(outer)


def test_other_errors_are_neither() -> None:
    assert (False, False) == (is_out_of_memory(ValueError("no")), is_device_fault(OSError("disk")))
