"""Real-ESRGAN's published files: every tensor has its place, and the pixels are those of the published code."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from core.errors.failures import ModelLoadFailed
from pipelines.memory.weight_loader import WeightLoader
from pipelines.upscale.checkpoint import load_net
from pipelines.upscale.nets import Net
from tests.support.checkpoints.tiny_upscale import compact, enlarged, rrdb, save

NETS = {
    "x4plus": (rrdb(), 4),
    "x2plus": (rrdb(fold=2), 2),
    "general-x4v3": (compact(), 4),
    "of-two": (compact(scale=2), 2),
}


def loaded(folder: Path, tensors: dict[str, Tensor], under: str = "params_ema") -> Net:
    return load_net(save(folder, tensors, under), WeightLoader("cpu"), torch.float32)


@pytest.mark.parametrize("name", NETS)
@pytest.mark.parametrize("under", ["params", "params_ema"])
def test_a_published_file_computes_what_the_published_code_does(tmp_path: Path, name: str, under: str) -> None:
    tensors, scale = NETS[name]
    net = loaded(tmp_path, tensors, under)
    picture = torch.rand(1, 3, 12, 10, generator=torch.Generator().manual_seed(1))
    assert scale == net.scale
    with torch.inference_mode():
        made, wanted = net(picture), enlarged(tensors, picture)
    assert (1, 3, 12 * scale, 10 * scale) == made.shape
    assert torch.allclose(made, wanted, atol=1e-5)
    assert (made - torch.nn.functional.interpolate(picture, scale_factor=scale)).abs().max() > 0.1


def missing(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor for name, tensor in tensors.items() if not name.endswith("conv_up2.bias")}


def more(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return tensors | {"conv_up3.bias": torch.zeros(8)}


def turned(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return tensors | {"conv_hr.weight": torch.zeros(8, 8, 1, 1)}


def another(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {"conv1.weight": torch.zeros(8, 3, 3, 3)}


@pytest.mark.parametrize(
    ("change", "said"),
    [(missing, "missing"), (more, "unexpected"), (turned, "of another shape"), (another, "none of Real-ESRGAN's")],
)
def test_a_file_that_does_not_fit_is_refused(
    tmp_path: Path, change: Callable[[dict[str, Tensor]], dict[str, Tensor]], said: str
) -> None:
    with pytest.raises(ModelLoadFailed, match=said):
        loaded(tmp_path, change(rrdb()))


def test_tensors_beside_the_published_ones_are_refused(tmp_path: Path) -> None:
    tensors = {f"params_ema.{name}": tensor for name, tensor in rrdb().items()} | {"step": torch.zeros(1)}
    save_file(tensors, tmp_path / "net.safetensors")
    with pytest.raises(ModelLoadFailed, match="none of Real-ESRGAN's"):
        load_net(tmp_path / "net.safetensors", WeightLoader("cpu"), torch.float32)
