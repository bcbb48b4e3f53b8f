"""Images that follow a control picture: the pixels of diffusers' own pipelines, and what does not load."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import (
    ControlNetUnionModel,
    DiffusionPipeline,
    StableDiffusionXLControlNetUnionPipeline,
    ZImageControlNetModel,
    ZImageControlNetPipeline,
)
from numpy.typing import NDArray
from PIL import Image
from safetensors.torch import load_file, save_file

from core.errors.failures import ModelLoadFailed
from pipelines.image.canny import draw_edges
from pipelines.runtime.protocol import Inputs, Pipeline
from tests.support.checkpoints import tiny_controlnets
from tests.support.checkpoints.image_runs import CHANGES, directly, image, loaded, save_image

NAMES = ("zimage", "sdxl")


@pytest.fixture(scope="module")
def controls(weights_dir: Path) -> Path:
    for name in NAMES:
        tiny_controlnets.save(name, weights_dir)
    return weights_dir


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    return save_image(tmp_path / "picture.png", 64, 64)


def controlled(name: str, weights: Path, **changes: Any) -> Pipeline:
    capabilities = [*CHANGES[name]["capabilities"], "control"]
    return loaded(
        name, weights, **{"capabilities": capabilities, "controlnet": tiny_controlnets.entry_of(name), **changes}
    )


def alone(name: str, weights: Path, control: Image.Image, mode: int, scale: float) -> NDArray[np.uint8]:
    """The image as diffusers makes it, of a ControlNet that it loaded by itself."""
    base = DiffusionPipeline.from_pretrained(weights / name, dtype=torch.float32)
    folder = weights / f"{name}-controlnet"
    if name == "zimage":
        (weights / "config-of-zimage").mkdir(exist_ok=True)
        ZImageControlNetModel(**tiny_controlnets.ZIMAGE).save_config(weights / "config-of-zimage")
        network = ZImageControlNetModel.from_single_file(
            str(folder / tiny_controlnets.FILES[name]), config=str(weights / "config-of-zimage"), torch_dtype=torch.float32
        )
        pipe: Any = ZImageControlNetPipeline(**base.components, controlnet=network)
        more: dict[str, Any] = {}
    else:
        network = ControlNetUnionModel.from_pretrained(folder, dtype=torch.float32)
        pipe = StableDiffusionXLControlNetUnionPipeline(**base.components, controlnet=network)
        more = {"control_mode": [mode]}
    pipe.set_progress_bar_config(disable=True)
    call = {"control_image": [control] if more else control, "controlnet_conditioning_scale": scale, **more}
    return directly(weights / name, 2, pipe, **call)


@pytest.mark.contract("F3")
@pytest.mark.parametrize("name", NAMES)
def test_a_controlled_image_has_the_pixels_of_diffusers(controls: Path, picture: Path, name: str) -> None:
    pipeline, inputs = controlled(name, controls), Inputs({"control_image": picture})
    with Image.open(picture) as opened:
        control = opened.convert("RGB")

    free = image(pipeline, 2)
    edges = image(pipeline, 2, inputs)
    depth = image(pipeline, 2, inputs, control_kind="depth", control_as_given=True, control_scale=0.5)

    assert np.array_equal(alone(name, controls, draw_edges(control), 3, 0.8), edges)
    assert np.array_equal(alone(name, controls, control, 1, 0.5), depth)
    assert np.array_equal(directly(controls / name, 2), free)
    assert not np.array_equal(free, edges)
    assert np.array_equal(free, image(pipeline, 2))


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


def test_a_pipeline_that_follows_none_does_not_load(controls: Path) -> None:
    with pytest.raises(ModelLoadFailed, match="Flux2KleinPipeline follows no control picture"):
        controlled("flux2klein", controls, controlnet=tiny_controlnets.entry_of("sdxl"))
