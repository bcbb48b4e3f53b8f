"""Depths and poses by tiny random networks: what transformers finds, drawn; and what does not load."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors.torch import load_file, save_file
from transformers import VitPoseConfig, VitPoseForPoseEstimation

from core.errors.failures import ModelLoadFailed
from core.errors.fields import NotThisModel
from pipelines.memory.weight_loader import WeightLoader
from pipelines.preprocessors.drawers import Drawers
from tests.support.checkpoints import tiny_preprocessors
from tests.support.checkpoints.specs import spec
from tests.support.checkpoints.tiny_preprocessors import depths_of, joints_of, poses_of

CONTROLNET = {"source": {"path": "union"}, "file": "union.safetensors"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("preprocessors")
    tiny_preprocessors.save(made)
    return made


@pytest.fixture
def picture() -> Image.Image:
    values = np.random.default_rng(1).integers(0, 256, (6, 9, 3), np.uint8)
    return Image.fromarray(values).resize((144, 96), Image.Resampling.BICUBIC)


def drawers(folder: Path, *names: str) -> Drawers:
    model = spec(
        source={"path": "tiny"},
        capabilities=["text-to-image", "control"],
        controlnet=CONTROLNET,
        preprocessors=tiny_preprocessors.entry_of(*names),
    )
    return Drawers(model, folder / "tiny", WeightLoader("cpu"))


def test_depths_are_those_of_transformers(folder: Path, picture: Image.Image) -> None:
    made = drawers(folder, "depth").draw("depth", picture)

    assert np.array_equal(depths_of(folder, picture), made)
    assert (0, 255) == made.convert("L").getextrema()


@pytest.mark.matrix
@pytest.mark.parametrize("with_people", [False, True])
def test_poses_are_those_of_transformers(folder: Path, picture: Image.Image, with_people: bool) -> None:
    made = drawers(folder, "pose", *(["people"] if with_people else [])).draw("pose", picture)

    people = joints_of(folder, picture, with_people=with_people)
    assert (len(people) > 1) == with_people
    assert {True, False} == {joint is None for joints in people for joint in joints}
    assert np.array_equal(poses_of(folder, picture, with_people=with_people), made)
    assert made.getbbox() is not None


def test_what_is_not_loaded_is_not_drawn(folder: Path, picture: Image.Image) -> None:
    with pytest.raises(NotThisModel, match="finds no poses in a picture; send one that shows poses itself"):
        drawers(folder, "depth").draw("pose", picture)


def test_a_preprocessor_without_a_tensor_is_refused(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder / "tiny-depth", tmp_path / "tiny-depth")
    file = tmp_path / "tiny-depth" / "model.safetensors"
    tensors = load_file(file)
    del tensors["head.conv1.weight"]
    save_file(tensors, file, {"format": "pt"})

    with pytest.raises(ModelLoadFailed, match=r"tiny-depth does not fit .* the first is head\.conv1\.weight"):
        drawers(tmp_path, "depth")


@pytest.mark.long
def test_a_preprocessor_of_other_things_is_refused(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    config = VitPoseConfig.from_pretrained(tmp_path / "tiny-pose", num_labels=5)
    VitPoseForPoseEstimation(config).save_pretrained(tmp_path / "tiny-pose")
    with pytest.raises(ModelLoadFailed, match="tiny-pose is not a ViTPose of the 17 joints of COCO"):
        drawers(tmp_path, "pose")

    file = tmp_path / "tiny-people" / "config.json"
    file.write_text(file.read_text().replace("person", "dog"))
    with pytest.raises(ModelLoadFailed, match="tiny-people has no label 'person'"):
        drawers(tmp_path)
