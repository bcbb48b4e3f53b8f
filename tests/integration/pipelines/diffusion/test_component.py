"""Every model of the tiny checkpoints, read into pieces, against the libraries' own loading of it."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from core.errors.failures import ModelLoadFailed
from pipelines.diffusion.checkpoint import classes
from pipelines.diffusion.component import load_component
from pipelines.memory.staging import StagingBlocks
from pipelines.memory.weight_loader import WeightLoader
from tests.support.checkpoints import tiny_checkpoints, tiny_videos

VIDEOS = ("wan22", "ltx")
"""Wan keeps parts of its transformer in float32, and UMT5 keeps some in float16's place."""


@pytest.fixture(scope="module")
def folders(weights_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    videos = tmp_path_factory.mktemp("films")
    for name in VIDEOS:
        tiny_videos.save(name, videos / name)
    return {name: weights_dir / name for name in tiny_checkpoints.BUILDERS} | {name: videos / name for name in VIDEOS}


def models(folder: Path) -> Iterator[tuple[Path, type[Any]]]:
    return ((folder / name, class_) for name, class_ in classes(folder).items() if issubclass(class_, nn.Module))


def everything(model: nn.Module) -> dict[str, torch.Tensor]:
    """Tied weights under each of their names, and what is in no file."""
    return dict(model.named_parameters(remove_duplicate=False)) | dict(model.named_buffers(remove_duplicate=False))


def same(one: torch.Tensor, other: torch.Tensor) -> bool:
    return one.dtype == other.dtype and one.stride() == other.stride() and torch.equal(one, other)


@pytest.mark.matrix
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("name", [*tiny_checkpoints.BUILDERS, *VIDEOS])
def test_all_of_it_is_as_from_pretrained_loads_it(folders: dict[str, Path], name: str, dtype: torch.dtype) -> None:
    for folder, class_ in models(folders[name]):
        expected = class_.from_pretrained(folder, dtype=dtype)
        found = load_component(folder, class_, dtype, WeightLoader("cpu", staging=StagingBlocks(), chunk=2**14))
        values, others = everything(found), everything(expected)

        assert list(others) == list(values)
        assert [] == [key for key in others if not same(others[key], values[key])]
        assert len({id(tensor) for tensor in others.values()}) == len({id(tensor) for tensor in values.values()})
        assert not found.training


def test_a_float32_text_encoder_is_sent_in_bfloat16(folders: dict[str, Path]) -> None:
    folder = folders["wan22"] / "text_encoder"
    (file,) = folder.glob("*.safetensors")
    stored = load_file(file)
    assert {torch.float32} == {tensor.dtype for tensor in stored.values()}
    loader = WeightLoader("cpu", staging=StagingBlocks())
    model = load_component(folder, classes(folders["wan22"])["text_encoder"], torch.bfloat16, loader)

    (sent,) = loader.uploaded
    assert sent.numel() < 3 * sum(tensor.numel() for tensor in stored.values())
    addresses = {tensor.untyped_storage().data_ptr() for tensor in model.parameters()}
    assert {sent.untyped_storage().data_ptr()} == addresses


@pytest.fixture
def component(folders: dict[str, Path], tmp_path: Path) -> Path:
    """One of each library, to be broken."""
    return shutil.copytree(folders["sdxl"], tmp_path / "sdxl")


@pytest.mark.parametrize("part", ["unet", "text_encoder"])
class TestStrict:
    def load(self, folder: Path, part: str, **options: Any) -> Any:
        return load_component(folder / part, classes(folder)[part], torch.float32, WeightLoader("cpu"), **options)

    def change(self, folder: Path, part: str, **more: torch.Tensor) -> str:
        """Take a tensor away, or add some; returns the name of the one that is gone."""
        (file,) = (folder / part).glob("*.safetensors")
        tensors = load_file(file)
        gone = next(name for name in sorted(tensors) if tensors[name].ndim > 1)
        kept = tensors if more else {name: tensor for name, tensor in tensors.items() if name != gone}
        save_file(kept | more, file, metadata={"format": "pt"})
        return gone

    def test_a_missing_tensor_is_named(self, component: Path, part: str) -> None:
        gone = self.change(component, part)

        with pytest.raises(ModelLoadFailed, match=rf"{part} does not fit .* 1 tensors are missing") as refused:
            self.load(component, part)
        assert gone.removeprefix("text_model.") in refused.value.detail

    def test_one_too_many_is_left_and_said_or_refused(
        self, component: Path, part: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        self.change(component, part, more=torch.zeros(3))
        self.load(component, part)

        assert f"{part} holds 1 tensors that " in caplog.text
        with pytest.raises(ModelLoadFailed, match=r"1 tensors are unexpected, the first is .*more"):
            self.load(component, part, allow_unexpected=False)

    def test_a_quantised_one_is_left_to_its_library(
        self, component: Path, part: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        file = component / part / "config.json"
        file.write_text(json.dumps(json.loads(file.read_text()) | {"quantization_config": {"quant_method": "any"}}))
        asked, made = list[Path](), nn.Linear(2, 2)

        def from_pretrained(folder: Path, **options: Any) -> tuple[nn.Module, dict[str, Any]]:
            asked.append(folder)
            return made, {}

        monkeypatch.setattr(classes(component)[part], "from_pretrained", from_pretrained)

        assert self.load(component, part) is made
        assert [component / part] == asked


def test_a_folder_without_weights_of_the_variant_is_refused(component: Path) -> None:
    with pytest.raises(ModelLoadFailed, match=r"vae has no weights: it lacks diffusion_pytorch_model\.fp16"):
        load_component(component / "vae", classes(component)["vae"], torch.float32, WeightLoader("cpu"), variant="fp16")
