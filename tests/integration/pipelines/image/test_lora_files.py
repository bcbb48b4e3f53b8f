"""LoRAs that callers bring: the pixels of diffusers with the same file, and nothing of it after its job."""

import gc
import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from core.errors.inputs import LoraNotAllowed, LoraNotCompatible
from jobs.params.media import LoraChoice
from pipelines.runtime.protocol import Inputs, JobCancelled, Pipeline, RunContext
from tests.support.checkpoints.image_runs import alone, asked, directly, image, loaded
from tests.support.checkpoints.tiny_loras import KLEIN_LAYERS, ZIMAGE_LAYERS, save_lora

LICENCE = {"name": "CC-BY-4.0", "url": "https://example.org"}
OWN = (LoraChoice(lora="med_0", weight=0.7),)
ONE_BLOCK = dict([*ZIMAGE_LAYERS.items()][:3])
WHOLE_RUNS = 20
"""Every so many-th run of a hundred is not cancelled."""
STYLE = {"style": {"source": {"path": "style"}, "file": "style.safetensors"}}


def allowing(*files: Path, **more: Any) -> Any:
    digests = [hashlib.sha256(file.read_bytes()).hexdigest() for file in files]
    return {"lora_files": {digest: {"licence": LICENCE} for digest in digests}, **more}


def brought(file: Path) -> Inputs:
    return Inputs({"loras.0": file})


def memory() -> tuple[int, int]:
    """Bytes of all tensors, and modules, that are in use; tests that compile leave tensors without bytes behind.

    Others leave proxies of what is gone: to ask such a one for its class is an error.
    """
    gc.collect()
    things = gc.get_objects()
    real = (one for one in things if type(one) in (torch.Tensor, torch.nn.Parameter))
    tensors = {one.data_ptr(): one.untyped_storage().nbytes() for one in real}
    return sum(tensors.values()), sum(issubclass(type(one), torch.nn.Module) for one in things)


@pytest.fixture
def folder(weights_dir: Path, tmp_path: Path) -> Path:
    """A weights directory with the model and a LoRA of the catalog."""
    for name in ("zimage", "flux2klein"):
        (tmp_path / name).symlink_to(weights_dir / name)
    save_lora(tmp_path / "style" / "style.safetensors", ZIMAGE_LAYERS, alpha=False, seed=3)
    return tmp_path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return save_lora(tmp_path / "own.safetensors", ZIMAGE_LAYERS, alpha=True, seed=4)


@pytest.mark.contract("F1")
def test_pixels_are_those_of_diffusers_with_the_file(folder: Path, file: Path) -> None:
    pipeline = loaded("zimage", folder, **allowing(file))
    bare = directly(folder / "zimage")

    made = image(pipeline, inputs=brought(file), loras=OWN)

    pipe = alone(folder / "zimage")
    pipe.load_lora_weights(file.parent, weight_name=file.name, adapter_name="own")
    pipe.set_adapters(["own"], [0.7])
    assert np.array_equal(directly(folder / "zimage"), made)
    pipe.unload_lora_weights()
    assert not np.array_equal(bare, made)
    assert np.array_equal(bare, image(pipeline))


@pytest.mark.long
def test_it_goes_with_a_lora_of_the_catalog(folder: Path, file: Path) -> None:
    pipeline = loaded("zimage", folder, **allowing(file, loras=STYLE))
    bare, styled = image(pipeline), image(pipeline, loras=(LoraChoice(lora="style"),))

    both = image(pipeline, inputs=brought(file), loras=(*OWN, LoraChoice(lora="style")))

    pipe = alone(folder / "zimage")
    for name, source in (("own", file), ("style", folder / "style" / "style.safetensors")):
        pipe.load_lora_weights(source.parent, weight_name=source.name, adapter_name=name)
    pipe.set_adapters(["own", "style"], [0.7, 1.0])
    assert np.array_equal(directly(folder / "zimage"), both)
    pipe.unload_lora_weights()
    assert np.array_equal(bare, image(pipeline))
    assert np.array_equal(styled, image(pipeline, loras=(LoraChoice(lora="style"),)))


@pytest.mark.contract("F1")
@pytest.mark.parametrize(
    ("name", "layers", "beside"),
    [
        pytest.param("zimage", ONE_BLOCK, {}, id="zimage"),
        pytest.param("zimage", ZIMAGE_LAYERS, {"loras": STYLE}, id="beside another", marks=pytest.mark.long),
        pytest.param("flux2klein", KLEIN_LAYERS, {}, id="flux2klein", marks=pytest.mark.long),
    ],
)
def test_on_and_off_a_hundred_times_leaves_nothing(
    folder: Path, tmp_path: Path, name: str, layers: dict[str, tuple[int, int]], beside: dict[str, Any]
) -> None:
    """Some of the runs make a picture; most are cancelled as soon as the LoRA is on."""
    file = save_lora(tmp_path / "own.safetensors", layers, alpha=False, seed=4)
    pipeline: Any = loaded(name, folder, **allowing(file, **beside))
    bare = image(pipeline)
    made = image(pipeline, inputs=brought(file), loras=OWN)
    assert not np.array_equal(bare, made)
    before = memory()

    for number in range(99):
        if number % WHOLE_RUNS == 0:
            assert np.array_equal(made, image(pipeline, inputs=brought(file), loras=OWN))
        else:
            with pytest.raises(JobCancelled):
                pipeline.run(asked(loras=OWN), brought(file), RunContext(seed=1, progress=cancel, warn=print))

    assert before == memory()
    assert np.array_equal(bare, image(pipeline))
    assert np.array_equal(made, image(pipeline, inputs=brought(file), loras=OWN))


def cancel(fraction: float, stage: str) -> None:
    """End a run when its LoRAs are on and its first step would begin."""
    raise JobCancelled


@pytest.mark.matrix
@pytest.mark.parametrize(
    "layers",
    [
        {"diffusion_model.layers.7.attention.to_q": (32, 32)},
        {"diffusion_model.layers.0.attention.to_q": (32, 32), "diffusion_model.layers.0.attention.to_k": (7, 32)},
        {"unet.down_blocks.0.attentions.0.to_q": (32, 32)},
    ],
    ids=["another layer", "another size", "another network"],
)
def test_one_for_another_model_is_refused(folder: Path, tmp_path: Path, layers: dict[str, tuple[int, int]]) -> None:
    file = save_lora(tmp_path / "own.safetensors", layers, alpha=False)
    pipeline: Pipeline = loaded("zimage", folder, **allowing(file))

    with pytest.raises(LoraNotCompatible):
        image(pipeline, inputs=brought(file), loras=OWN)

    assert np.array_equal(directly(folder / "zimage"), image(pipeline))


def test_one_that_the_entry_does_not_name_is_refused(folder: Path, file: Path, tmp_path: Path) -> None:
    other = save_lora(tmp_path / "other.safetensors", ZIMAGE_LAYERS, alpha=False)

    with pytest.raises(LoraNotAllowed):
        image(loaded("zimage", folder, **allowing(file)), inputs=brought(other), loras=OWN)
