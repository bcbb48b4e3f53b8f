"""TF32 within a block on a GPU, and nowhere else."""

import pytest
import torch

from pipelines.runtime.matmul_precision import tensor_float_matmuls


@pytest.mark.parametrize(("device", "within"), [("cuda:0", "high"), ("cpu", "highest")])
def test_it_holds_within_the_block(device: str, within: str) -> None:
    assert "highest" == torch.get_float32_matmul_precision()
    with tensor_float_matmuls(device):
        assert within == torch.get_float32_matmul_precision()
    assert "highest" == torch.get_float32_matmul_precision()


def test_an_error_ends_it_too() -> None:
    with pytest.raises(KeyError), tensor_float_matmuls("cuda:0"):
        raise KeyError
    assert "highest" == torch.get_float32_matmul_precision()
