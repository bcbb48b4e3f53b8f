"""Transformers in float8, tiny: what a CPU computes with is the stored weights, and what a GPU would is near."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from core.errors.failures import ModelLoadFailed
from pipelines.image.diffusers_image import DiffusersImage
from pipelines.memory import float8
from pipelines.memory.chunks import storage_address, tensors_of
from pipelines.memory.float8 import FLOAT8, Float8, Float8Linear, dequantized, quantized
from pipelines.memory.offload import Offload
from pipelines.memory.staging import StagingBlocks
from pipelines.memory.weight_loader import WeightLoader
from tests.support.checkpoints.image_runs import directly, image, loaded, model, run

OTHERS = ("qwenimage", "flux2klein")


def layers(pipeline: Any) -> dict[str, Float8Linear]:
    named = pipeline.pipe.transformer.named_modules()
    return {name: module for name, module in named if isinstance(module, Float8Linear)}


def rounded(pipeline: Any, names: Any) -> Any:
    """The same pipeline with the weights of these layers rounded to float8 and back."""
    for name in names:
        layer = pipeline.pipe.transformer.get_submodule(name)
        layer.weight.data = dequantized(*quantized(layer.weight.data), layer.weight.dtype)
    return pipeline


@pytest.mark.parametrize("name", ["zimage", *(pytest.param(name, marks=pytest.mark.long) for name in OTHERS)])
def test_a_cpu_computes_with_the_stored_weights(weights_dir: Path, name: str) -> None:
    plain, pipeline = loaded(name, weights_dir), loaded(name, weights_dir, quantization="float8")
    found = layers(pipeline)
    assert len(found) >= 5
    raw = run(pipeline)

    assert np.array_equal(image(rounded(plain, found)), raw.arrays["0"])
    assert np.abs(directly(weights_dir / name).astype(int) - raw.arrays["0"]).mean() < 3
    assert "float32, weights in float8" == raw.metadata["precision"]
    (warning,) = pipeline.warnings  # type: ignore[attr-defined]
    assert "multiplies its float8 weights in float32: cpu does not multiply float8" == warning


@pytest.mark.parametrize("name", ["zimage", pytest.param("qwenimage", marks=pytest.mark.long)])
def test_float8_multiplications_stay_near(weights_dir: Path, name: str) -> None:
    """The CPU has `torch._scaled_mm`, too. A channel is off by two levels of 255 in the mean."""
    pipeline: Any = loaded(name, weights_dir, quantization="float8")
    expected = image(pipeline).astype(int)
    for layer in layers(pipeline).values():
        layer.is_native = True
    found = image(pipeline)
    assert 0 < np.abs(expected - found).mean() < 2


def test_weights_move_and_come_back(weights_dir: Path) -> None:
    pipeline: Any = loaded("zimage", weights_dir, quantization="float8")
    expected = image(pipeline)
    offload = Offload(pipeline.modules, "cpu")
    assert offload.is_finite()
    offload.offload()
    offload.restore()
    assert np.array_equal(expected, image(pipeline))


def test_blocks_may_wait_in_host_memory(weights_dir: Path) -> None:
    whole, blocks = (loaded("zimage", weights_dir, quantization="float8", offload_blocks=on) for on in (False, True))
    assert np.array_equal(image(whole), image(blocks))


def test_a_staged_load_keeps_no_chunk_in_vain(weights_dir: Path) -> None:
    """As on a GPU: what was read is freed once it is float8, so that the load takes little more than the result."""
    loader = WeightLoader("cpu", staging=StagingBlocks(2**20), chunk=2**14)
    pipeline = DiffusersImage(model("zimage", quantization="float8"), weights_dir / "zimage", "cpu", loader)
    transformer = list(tensors_of([pipeline.pipe.transformer]))
    assert sum(one.dtype == FLOAT8 for one in transformer) == len(layers(pipeline)) > 5
    used = {storage_address(one) for one in tensors_of(pipeline.modules)}
    assert loader.uploaded
    assert {storage_address(chunk) for chunk in loader.uploaded} <= used
    assert np.array_equal(image(loaded("zimage", weights_dir, quantization="float8")), image(pipeline))


def test_a_model_without_a_transformer_does_not_load(weights_dir: Path) -> None:
    with pytest.raises(ModelLoadFailed, match="no transformer; remove `quantization`"):
        loaded("sdxl", weights_dir, quantization="float8")


def test_a_job_without_it_says_its_precision(weights_dir: Path) -> None:
    assert "float32" == run(loaded("zimage", weights_dir)).metadata["precision"]


class TestDevice:
    """Which devices multiply float8; the GPU is made up, the small multiplication is the CPU's."""

    def pipe(self) -> Any:
        layer = Float8Linear(torch.nn.Linear(16, 16))
        return type("Pipe", (), {"transformer": torch.nn.ModuleList([layer])})(), layer

    @pytest.mark.parametrize(
        ("capability", "is_right", "expected"),
        [
            ((9, 0), True, "float8"),
            ((8, 9), True, "float8"),
            ((8, 6), True, "bfloat16, weights in float8"),
            ((9, 0), False, "bfloat16, weights in float8"),
        ],
    )
    def test_it_is_used_where_it_is_right(
        self, monkeypatch: pytest.MonkeyPatch, capability: tuple[int, int], is_right: bool, expected: str
    ) -> None:
        pipe, layer = self.pipe()
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
        monkeypatch.setattr(float8, "works", lambda device: is_right)
        found = Float8(pipe, torch.bfloat16, "cuda:0")
        assert expected == found.precision
        assert layer.is_native == (expected == "float8") == (found.warnings == ())

    def test_the_trial_is_of_the_real_multiplication(self, monkeypatch: pytest.MonkeyPatch) -> None:
        assert float8.works("cpu")

        def refuse(*_: object, **__: object) -> None:
            raise RuntimeError("torch._scaled_mm is only supported on CUDA devices with compute capability >= 9.0")

        monkeypatch.setattr(torch, "_scaled_mm", refuse)
        assert not float8.works("cpu")

    def test_no_multiplication_differs_much(self) -> None:
        """By 4 % in the norm: both factors have 3 bits behind the leading one."""
        torch.manual_seed(0)
        values, weight, bias = torch.randn(2, 7, 64), torch.randn(48, 64), torch.randn(48)
        values[0, 0] *= 1e4
        values[0, 1] = 0
        weight[3] *= 1e-4
        exact = values @ weight.t() + bias
        stored, scale = quantized(weight)
        fallback = torch.nn.functional.linear(values, dequantized(stored, scale, torch.float32), bias)
        for found in (fallback, float8.multiply(values, stored, scale, bias)):
            assert found.shape == exact.shape
            rows = (found - exact).norm(dim=-1) / exact.norm(dim=-1).clamp(min=1)
            assert rows.max() < 0.06, rows

    def test_the_largest_of_each_row_is_exact(self) -> None:
        weight = torch.tensor([[1.0, -3.0], [0.0, 0.0], [2.0**-20, 1e5]])
        values, scale = quantized(weight)
        assert (torch.float8_e4m3fn, (3, 1)) == (values.dtype, tuple(scale.shape))
        back = dequantized(values, scale, torch.float32)
        assert torch.allclose(back.abs().amax(1), weight.abs().amax(1), rtol=1e-6)
        assert bool(back.isfinite().all())
