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
        RuntimeError("CUDA failure 2: out of memory ; GPU=0 ; hostname=a ; file=cuda_allocator.cc ; line=38"),
        RuntimeError("CUDA driver error: out of memory"),
        RuntimeError("Triton Error [CUDA]: out of memory"),
        RuntimeError("FIND was unable to find an engine to execute this computation"),
        RuntimeError("GET was unable to find an engine to execute this computation"),
        RuntimeError("Unable to find a valid cuDNN algorithm to run convolution"),
        RuntimeError("cuDNN error: CUDNN_STATUS_INTERNAL_ERROR_HOST_ALLOCATION_FAILED"),
        RuntimeError("cuDNN error: CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED"),
        RuntimeError('NVML_SUCCESS == r INTERNAL ASSERT FAILED at "/pytorch/c10/cuda/CUDACachingAllocator.cpp":1154'),
    ],
)
def test_memory_that_ran_out_is_not_a_broken_device(error: Exception) -> None:
    assert (True, False) == (is_out_of_memory(error), is_device_fault(error))


@pytest.mark.parametrize(
    "error",
    [
        AcceleratorError("device-side assert"),
        RuntimeError("CUDA error: an illegal memory access was encountered"),
        RuntimeError("CUDA driver error: an illegal memory access was encountered"),
        RuntimeError("Triton Error [CUDA]: an illegal memory access was encountered"),
        RuntimeError(
            "[ONNXRuntimeError] : 1 : FAIL : CUDA failure 700: an illegal memory access was encountered ; GPU=0"
        ),
        RuntimeError("cuDNN error: CUDNN_STATUS_EXECUTION_FAILED"),
        RuntimeError("cuDNN error: CUDNN_STATUS_EXECUTION_FAILED_CUDART"),
        RuntimeError("cuDNN error: CUDNN_STATUS_INTERNAL_ERROR"),
        RuntimeError("cuDNN error: CUDNN_STATUS_MAPPING_ERROR"),
        RuntimeError("CUDA error: CUBLAS_STATUS_EXECUTION_FAILED when calling `cublasGemmEx`"),
    ],
)
def test_a_broken_device_is_not_memory_that_ran_out(error: Exception) -> None:
    assert (False, True) == (is_out_of_memory(error), is_device_fault(error))


def test_what_an_error_was_raised_from_counts() -> None:
    outer = ValueError("the layer failed")
    outer.__cause__ = AcceleratorError("CUDA error: unspecified launch failure")

    assert is_device_fault(outer)


@pytest.mark.parametrize(
    "error",
    [
        ValueError("no"),
        OSError("disk"),
        RuntimeError(
            "cuDNN error: CUDNN_STATUS_NOT_SUPPORTED. This error may appear if you passed a non-contiguous input."
        ),
        RuntimeError("Expected all tensors to be on the same device, but found at least two devices, cuda:0 and cpu!"),
        AssertionError("Torch not compiled with CUDA enabled"),
    ],
)
def test_other_errors_are_neither(error: Exception) -> None:
    assert (False, False) == (is_out_of_memory(error), is_device_fault(error))
