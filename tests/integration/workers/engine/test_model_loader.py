"""Models of the real families, loaded, sent to host memory and brought back: what they make stays the same."""

import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from core.settings import Settings
from jobs.params.base import Params
from jobs.params.image import ImageParams
from jobs.params.mesh import MeshParams
from jobs.params.video import VideoParams
from pipelines.catalog.loader import Catalog
from pipelines.catalog.spec import ModelSpec
from pipelines.memory.staging import StagingBlocks
from pipelines.runtime.protocol import Inputs, Pipeline, RunContext
from pipelines.weights.lockfile import Lock
from pipelines.weights.verify import lock_directory
from tests.support.checkpoints import tiny_checkpoints, tiny_triposg, tiny_videos
from tests.support.checkpoints.specs import spec
from workers.engine.memory_limits import MemoryLimits, limits_of
from workers.engine.model_loader import ModelLoader
from workers.engine.residency import Residency

SMALL = {"num_inference_steps": 2, "width": 64, "height": 64}
SPECS = {
    "sdxl": spec(id="sdxl", source={"path": "sdxl"}),
    "flux": spec(id="flux", source={"path": "flux"}, quality={"fast": {"quantization": "float8"}}),
    "qwenimage": spec(id="qwenimage", source={"path": "qwenimage"}),
    "wan22": spec(
        id="wan22",
        family="diffusers-video",
        modality="video",
        source={"path": "wan22"},
        capabilities=["text-to-video"],
        limits={"side_multiple": 32, "frame_step": 4},
        defaults={"fps": 24},
    ),
    "triposg": spec(
        id="triposg",
        family="tests.support.checkpoints.tiny_triposg:TinyTripoSG",
        modality="3d",
        source={"path": "triposg"},
        defaults={"num_inference_steps": 2},
    ),
    "demo-cutout": spec(
        id="demo-cutout", family="rembg", modality="remove-background", source={"shipped": "pipelines/matting/weights"}
    ),
}
PARAMS: dict[str, Params] = {
    "sdxl": ImageParams(prompt="a red apple", **SMALL),
    "flux": ImageParams(prompt="a red apple", **SMALL),
    "qwenimage": ImageParams(prompt="a red apple", **SMALL),
    "wan22": VideoParams(prompt="a red apple", duration_seconds=0.2, **SMALL),
    "triposg": MeshParams(image_path="picture"),
}


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("weights")
    for name in ("sdxl", "flux", "qwenimage"):
        tiny_checkpoints.save(name, folder / name)
    tiny_videos.save("wan22", folder / "wan22")
    tiny_triposg.save(folder / "triposg")
    return folder


@pytest.fixture
def loader(weights: Path) -> ModelLoader:
    lock = Lock({one.id: lock_directory(one, one.directory(weights)) for one in SPECS.values()})
    made = ModelLoader(Catalog(tuple(SPECS.values())), lambda: lock, Settings(weights_dir=str(weights), device="cpu"))
    torch.set_num_threads(1)
    return made


def make(pipeline: Pipeline, name: str, folder: Path) -> dict[str, Any]:
    picture = folder / "picture.png"
    Image.fromarray(np.random.default_rng(1).integers(0, 256, (64, 64, 3), dtype=np.uint8)).save(picture)
    context = RunContext(seed=5, progress=lambda part, stage: None, warn=lambda text: None)
    inputs = Inputs({"image_path": picture} if name == "triposg" else {})
    return pipeline.run(PARAMS[name], inputs, context).arrays


def tensors(pipeline: Any) -> list[torch.Tensor]:
    """A copy of every weight."""
    return [tensor.clone() for module in pipeline.modules for tensor in module.state_dict().values()]


def alike(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether they differ by roundings at most: on a CPU the sums depend on where in memory the numbers lie."""
    return one.shape == other.shape and np.allclose(one.astype(float), other.astype(float), atol=1 + 1e-3)


@pytest.mark.matrix
@pytest.mark.parametrize("is_staged", [False, True])
@pytest.mark.parametrize("name", PARAMS)
def test_it_makes_the_same_after_its_way_to_the_host_and_back(
    loader: ModelLoader, name: str, is_staged: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if is_staged:  # as on a GPU
        monkeypatch.setattr(loader, "_staging", StagingBlocks())
    loaded = loader.load(name)
    while is_staged and not loaded.has_master:
        assert loaded.copy_chunk()
    weights, before = tensors(loaded.pipeline), make(loaded.pipeline, name, tmp_path)
    loaded.offload()
    loaded.restore()
    after = make(loaded.pipeline, name, tmp_path)

    assert loaded.bytes > 10_000
    assert all(torch.equal(one, other) for one, other in zip(weights, tensors(loaded.pipeline), strict=True))
    assert before.keys() == after.keys()
    assert all(alike(before[key], after[key]) for key in before)


@pytest.mark.long
def test_a_budget_for_one_has_them_take_turns(
    loader: ModelLoader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = [loader.load(name).bytes for name in ("sdxl", "flux")]
    monkeypatch.setattr(loader, "memory_used", lambda: 0)  # so small ones drown in what else a process does
    loaded = Residency(loader, MemoryLimits(device=max(sizes), host=2**30))
    made = []
    for name in ("sdxl", "flux", "sdxl", "flux"):
        with loaded.using(name) as used:
            made.append(make(used.pipeline, name, tmp_path)["0"])
        assert [name] == [model.id for model in loaded.models if model.where == "device"]

    assert alike(made[0], made[2])
    assert alike(made[1], made[3])
    assert not alike(made[0], made[1])


@pytest.mark.long
def test_a_model_that_is_dropped_leaves_no_module(loader: ModelLoader, tmp_path: Path) -> None:
    """Qwen-Image's position tables are kept by caches of their class."""
    models, gone = Residency(loader, MemoryLimits(device=2**40)), list[weakref.ref[Any]]()
    for _ in range(2):
        with models.using("qwenimage") as used:
            make(used.pipeline, "qwenimage", tmp_path)
            gone += [weakref.ref(part) for module in used.pipeline.modules for part in module.modules()]  # type: ignore[attr-defined]
        del used
        models.unload()

    assert len(gone) > 100
    assert {None} == {part() for part in gone}


def test_the_first_of_a_modality_is_one_that_can_be_loaded(loader: ModelLoader) -> None:
    assert "demo-cutout" == first(loader, "remove-background").id
    assert "sdxl" == first(loader, "image").id
    assert loader.first("speech") is None


def first(loader: ModelLoader, modality: Any) -> ModelSpec:
    found = loader.first(modality)
    assert found is not None
    return found


def test_budgets_that_are_left_open_are_those_of_the_machine(loader: ModelLoader) -> None:
    limits = limits_of(Settings(), loader.device)

    assert 0.5 * loader.device.memory_total < limits.device < loader.device.memory_total
    assert 0 == limits.host
    assert 7 == limits_of(Settings(host_budget=7), loader.device).host
    assert 2 == limits_of(Settings(host_budget=7, peer_devices="cuda:1, cuda:2"), loader.device).host


@pytest.mark.long
def test_presets_with_other_weights_share_no_module(
    loader: ModelLoader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loader, "memory_used", lambda: 0)
    models = Residency(loader, MemoryLimits(device=2**30, host=2**30))
    with models.using("flux") as plain, models.using("flux+float8") as fast:
        modules = [{id(one) for one in used.pipeline.modules} for used in (plain, fast)]  # type: ignore[attr-defined]
        assert not modules[0] & modules[1]
        before, other = (make(used.pipeline, "flux", tmp_path)["0"] for used in (plain, fast))
    full, quantized = models.models
    assert (None, "float8") == (full.quantization, quantized.quantization)
    assert quantized.bytes < full.bytes

    models.unload("flux")
    with models.using("flux+float8") as fast, models.using("flux") as plain:
        assert alike(other, make(fast.pipeline, "flux", tmp_path)["0"])
        assert alike(before, make(plain.pipeline, "flux", tmp_path)["0"])
    assert 0 < np.abs(before.astype(int) - other).mean() < 3
