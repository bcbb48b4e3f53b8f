"""The precision of multiplications of float32 matrices on a GPU."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def tensor_float_matmuls(device: str) -> Iterator[None]:
    """Let a GPU multiply float32 matrices in TF32 within the block, as cuDNN convolves them by default.

    TF32 has 10 bits of mantissa instead of 23, and tensor cores. The CPU's numbers stay what they are.
    """
    if not device.startswith("cuda"):
        yield
        return
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)
