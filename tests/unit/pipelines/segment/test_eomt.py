"""The family `eomt`, against transformers called directly with its own post-processing."""

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from transformers import EomtForUniversalSegmentation
from transformers.models.eomt.image_processing_pil_eomt import EomtImageProcessorPil

from core.errors.failures import ModelLoadFailed, NotFinite
from core.errors.fields import NotThisModel
from jobs.params.cutout import SegmentParams
from pipelines.runtime.protocol import Inputs, JobCancelled, RawOutput, RunContext
from pipelines.segment.eomt import Eomt
from pipelines.segment.segments import NOTHING
from tests.support.checkpoints import tiny_segments
from tests.support.checkpoints.specs import spec
from tests.support.media.drawings import flat_art

LOW = 0.1
TINY = spec(family="eomt", modality="segment", capabilities=[])


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_segments.save_eomt(tmp_path_factory.mktemp("eomt"))


@pytest.fixture(scope="module")
def eomt(weights: Path) -> Eomt:
    return Eomt(TINY, weights, "cpu")


@pytest.fixture(scope="module")
def picture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("picture") / "art.png"
    flat_art().save(file)
    return file


def run(model: Any, picture: Path, progress: Any = None, **fields: Any) -> RawOutput:
    context = RunContext(seed=1, progress=progress or (lambda *report: None), warn=lambda text: None)
    made: RawOutput = model.run(
        SegmentParams(input_image="-", **fields), Inputs(files={"input_image": picture}), context
    )
    return made


def listed(made: RawOutput) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = msgspec.json.decode(made.arrays["segments"].tobytes())["segments"]
    return found


def damaged(weights: Path, folder: Path, change: Any) -> Path:
    for file in weights.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    tensors = load_file(folder / "model.safetensors")
    change(tensors)
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    return folder


def test_segments_are_those_of_transformers(eomt: Eomt, weights: Path, picture: Path) -> None:
    made = run(eomt, picture, threshold=LOW)
    model, processor = (
        EomtForUniversalSegmentation.from_pretrained(weights),
        EomtImageProcessorPil.from_pretrained(weights),
    )
    with Image.open(picture) as opened:
        seen = processor(opened.convert("RGB"), return_tensors="pt")
    with torch.inference_mode():
        outputs = model.eval()(pixel_values=seen["pixel_values"])
    (wanted,) = processor.post_process_panoptic_segmentation(
        outputs, target_sizes=[(240, 320)], threshold=LOW, stuff_classes=list(range(80, 133))
    )
    infos = wanted["segments_info"]
    assert len(infos) > 1
    found = listed(made)
    assert {(tiny_segments.NAMES[each["label_id"]], round(each["score"], 4)) for each in infos} == {
        (each["label"], each["score"]) for each in found
    }
    for each in found:
        mask = made.arrays["map"] == each["id"]
        (same,) = (one["id"] for one in infos if round(one["score"], 4) == each["score"])
        assert np.array_equal(mask, wanted["segmentation"].numpy() == same)
        rows, columns = np.nonzero(mask)
        assert [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1] == each["box"]
        assert mask.sum() == each["area"]
    assert sorted((each["area"] for each in found), reverse=True) == [each["area"] for each in found]


def test_only_the_classes_that_are_asked_for_are_kept(eomt: Eomt, picture: Path) -> None:
    whole = run(eomt, picture, threshold=LOW)
    wanted = listed(whole)[-1]
    one = run(eomt, picture, threshold=LOW, classes=(wanted["label"].upper(), "unicorn"))
    (kept,) = listed(one)
    assert wanted | {"id": 1, "color": kept["color"]} == kept
    assert np.array_equal(whole.arrays["map"] == wanted["id"], one.arrays["map"] == 1)
    assert ("tiny has no class unicorn; it was not looked for.",) == one.warnings


def test_nothing_that_is_sure_enough_is_an_empty_map(eomt: Eomt, picture: Path) -> None:
    made = run(eomt, picture, threshold=1.0)
    assert ([], (NOTHING,), 0) == (listed(made), made.warnings, made.arrays["map"].max())
    with Image.open(picture) as opened:
        assert np.array_equal(np.asarray(opened), made.arrays["0"])


def test_a_strip_is_refused(eomt: Eomt, tmp_path: Path) -> None:
    Image.new("RGB", (3, 4000)).save(tmp_path / "strip.png")
    with pytest.raises(NotThisModel, match="`input_image` is 3x4000"):
        run(eomt, tmp_path / "strip.png")


@pytest.mark.long
def test_a_large_picture_has_a_map_of_its_size(eomt: Eomt, picture: Path, tmp_path: Path) -> None:
    with Image.open(picture) as opened:
        opened.resize((1600, 1200)).save(tmp_path / "large.png")
    made = run(eomt, tmp_path / "large.png", threshold=LOW)
    assert (1200, 1600) == made.arrays["map"].shape == made.arrays["0"].shape[:2]
    assert [each["label"] for each in listed(run(eomt, picture, threshold=LOW))] == [
        each["label"] for each in listed(made)
    ]


def test_a_cancel_comes_between_layers(eomt: Eomt, picture: Path) -> None:
    seen: list[float] = []

    def progress(share: float, stage: str) -> None:
        seen.append(round(share, 2))
        if len(seen) == 4:
            raise JobCancelled

    with pytest.raises(JobCancelled):
        run(eomt, picture, progress=progress)
    assert [0.0, 0.1, 0.3, 0.5] == seen
    assert not any(layer._forward_pre_hooks for layer in eomt.model.layers)
    assert listed(run(eomt, picture, threshold=LOW))


def test_a_checkpoint_that_is_not_whole_is_refused(weights: Path, tmp_path: Path) -> None:
    folder = damaged(weights, tmp_path, lambda tensors: tensors.pop("query.weight"))
    with pytest.raises(ModelLoadFailed, match=r"query\.weight"):
        Eomt(TINY, folder, "cpu")


def test_values_that_are_not_finite_are_an_error(weights: Path, picture: Path, tmp_path: Path) -> None:
    folder = damaged(weights, tmp_path, lambda tensors: tensors["class_predictor.bias"].fill_(float("nan")))
    with pytest.raises(NotFinite):
        run(Eomt(TINY, folder, "cpu"), picture)
