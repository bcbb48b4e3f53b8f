"""Images that follow a control picture: the pixels of diffusers' own pipelines, and what does not load."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from core.errors.failures import ModelLoadFailed
from pipelines.preprocessors.canny import draw_edges
from pipelines.runtime.protocol import Inputs, Pipeline
from tests.support.checkpoints import tiny_controlnets
from tests.support.checkpoints.image_runs import CHANGES, directly, image, loaded, save_image
from tests.support.checkpoints.tiny_controlnets import steered

NAMES = ("zimage", "sdxl")


@pytest.fixture(scope="module")
def controls(weights_dir: Path) -> Path:
    for name in NAMES:
        tiny_controlnets.save(name, weights_dir)
    return weights_dir


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    return save_image(tmp_path / "picture.png", 64, 64)


def controlled(name: str, weights: Path, controlnet: str = "") -> Pipeline:
    capabilities = [*CHANGES[name]["capabilities"], "control"]
    return loaded(name, weights, capabilities=capabilities, controlnet=tiny_controlnets.entry_of(controlnet or name))


@pytest.mark.matrix
@pytest.mark.contract("F3")
@pytest.mark.parametrize("name", NAMES)
def test_a_controlled_image_has_the_pixels_of_diffusers(controls: Path, picture: Path, name: str) -> None:
    pipeline, inputs = controlled(name, controls), Inputs({"control_image": picture})
    with Image.open(picture) as opened:
        control = opened.convert("RGB")

    free = image(pipeline, 2)
    edges = image(pipeline, 2, inputs)
    depth = image(pipeline, 2, inputs, control_kind="depth", control_as_given=True, control_scale=0.5)

    assert np.array_equal(steered(name, controls, draw_edges(control), 3, 0.8), edges)
    assert np.array_equal(steered(name, controls, control, 1, 0.5), depth)
    assert np.array_equal(directly(controls / name, 2), free)
    assert not np.array_equal(free, edges)
    assert np.array_equal(free, image(pipeline, 2))


@pytest.mark.matrix
@pytest.mark.parametrize("change", ["missing", "more", "of another shape"])
def test_a_controlnet_that_does_not_fit_is_refused(controls: Path, tmp_path: Path, change: str) -> None:
    file = tmp_path / "zimage-controlnet" / "union.safetensors"
    file.parent.mkdir()
    tensors = load_file(controls / "zimage-controlnet" / file.name)
    name = min(tensors)
    if change == "missing":
        del tensors[name]
    else:
        tensors["more" if change == "more" else name] = torch.zeros(3)
    save_file(tensors, file)
    (tmp_path / "zimage").symlink_to(controls / "zimage")
    with pytest.raises(ModelLoadFailed, match=r"union\.safetensors does not fit its configuration"):
        controlled("zimage", tmp_path)


@pytest.mark.long
def test_a_pipeline_that_follows_none_does_not_load(controls: Path) -> None:
    with pytest.raises(ModelLoadFailed, match="Flux2KleinPipeline follows no control picture"):
        controlled("flux2klein", controls, "sdxl")
