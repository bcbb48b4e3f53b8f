"""The family `grounded-sam`, against transformers called directly."""

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from transformers import GroundingDinoForObjectDetection, Sam2Model

from core.errors.failures import ModelLoadFailed
from core.errors.fields import MissingField, NotThisModel, OutOfRange
from jobs.params.cutout import SegmentParams
from pipelines.catalog.requirements import unmet_requirements
from pipelines.runtime.protocol import Inputs, JobCancelled, RawOutput, RunContext
from pipelines.segment.grounded_sam import GroundedSam
from pipelines.segment.segments import NOTHING
from tests.support.checkpoints import tiny_segments
from tests.support.checkpoints.specs import spec
from tests.support.media.drawings import flat_art

NAMES = ("Dog", "traffic light", "sky")
TINY = spec(family="grounded-sam", modality="segment", capabilities=["words"])


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_segments.save_grounded_sam(tmp_path_factory.mktemp("grounded"), seed=3)


@pytest.fixture(scope="module")
def model(weights: Path) -> GroundedSam:
    return GroundedSam(TINY, weights, "cpu")


@pytest.fixture(scope="module")
def picture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("picture") / "art.png"
    flat_art().save(file)
    return file


def run(model: GroundedSam, picture: Path, progress: Any = None, **fields: Any) -> RawOutput:
    context = RunContext(seed=1, progress=progress or (lambda *report: None), warn=lambda text: None)
    params = SegmentParams(input_image="-", **{"classes": NAMES, **fields})
    return model.run(params, Inputs(files={"input_image": picture}), context)


def listed(made: RawOutput) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = msgspec.json.decode(made.arrays["segments"].tobytes())["segments"]
    return found


def test_segments_are_the_masks_of_the_boxes(model: GroundedSam, weights: Path, picture: Path) -> None:
    made = run(model, picture)
    detector = GroundingDinoForObjectDetection.from_pretrained(weights / "grounding-dino").eval()
    sam = Sam2Model.from_pretrained(weights / "sam2").eval()
    art, side = flat_art(), tiny_segments.SAM_SIDE
    read = model.reader(images=art, text="dog. traffic light. sky.", return_tensors="pt")
    square = np.asarray(art.resize((side, side), Image.Resampling.BILINEAR), np.float32) / 255
    pixels = torch.tensor((square - (0.485, 0.456, 0.406)) / (0.229, 0.224, 0.225), dtype=torch.float32)
    with torch.inference_mode():
        (wanted,) = model.reader.post_process_grounded_object_detection(
            detector(**read), read["input_ids"], threshold=0.35, target_sizes=[(240, 320)]
        )
        left = np.ones((240, 320), bool)
        masks = []
        for score, box in sorted(zip(wanted["scores"].tolist(), wanted["boxes"], strict=True), key=lambda one: -one[0]):
            scaled = box * torch.tensor([side / 320, side / 240] * 2)
            seen = sam(
                pixel_values=pixels.permute(2, 0, 1)[None], input_boxes=scaled[None, None], multimask_output=False
            ).pred_masks[0]
            inside = torch.nn.functional.interpolate(seen, (240, 320), mode="bilinear")[0, 0].numpy() > 0
            masks.append((round(score, 4), inside & left))
            left &= ~inside
    found = listed(made)
    assert len(found) > 2
    masks = sorted((one for one in masks if one[1].any()), key=lambda one: -one[1].sum())
    for each, (score, mask) in zip(found, masks, strict=True):
        assert score == each["score"]
        assert (mask != (made.arrays["map"] == each["id"])).mean() < 0.001


def test_a_box_is_of_the_class_of_its_likeliest_token(model: GroundedSam) -> None:
    tokens = model.reader.tokenizer("dog. sky.", return_tensors="pt")["input_ids"][0]
    first, dot = 0, model.period
    shares = torch.zeros(3, 32)
    sky = int((tokens == dot).nonzero()[0]) + 1
    shares[0, 2], shares[1, sky], shares[2, sky + 1] = 0.9, 0.8, 0.7
    shares[:, first] = 0.95  # the token before all words is of no class
    assert [0, 1, 1] == model._named(tokens, shares, 2)


def test_more_words_than_it_reads_are_refused_before_it_runs(
    model: GroundedSam, picture: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model.detector, "forward", lambda **_: pytest.fail("the network ran"))
    with pytest.raises(OutOfRange, match="this model reads 32 at once") as raised:
        run(model, picture, classes=tuple(f"dog number {number}" for number in range(40)))
    assert "$.classes" == raised.value.field


def test_a_strip_is_refused(model: GroundedSam, tmp_path: Path) -> None:
    Image.new("RGB", (3000, 1)).save(tmp_path / "strip.png")
    with pytest.raises(NotThisModel, match="input_image") as raised:
        run(model, tmp_path / "strip.png")
    assert "$.input_image" == raised.value.field


def test_labels_are_the_classes_as_they_were_asked_for(model: GroundedSam, picture: Path) -> None:
    assert {each["label"] for each in listed(run(model, picture, threshold=0.0))} <= set(NAMES)


def test_nothing_that_is_sure_enough_is_an_empty_map(model: GroundedSam, picture: Path) -> None:
    made = run(model, picture, threshold=1.0)
    assert ([], (NOTHING,), (240, 320)) == (listed(made), made.warnings, made.arrays["map"].shape)


def test_a_cancel_comes_between_the_networks(model: GroundedSam, picture: Path) -> None:
    seen: list[float] = []

    def progress(share: float, stage: str) -> None:
        seen.append(share)
        if share == 0.5:
            raise JobCancelled

    with pytest.raises(JobCancelled):
        run(model, picture, progress=progress)
    assert [0.0, 0.1, 0.5] == seen


@pytest.mark.matrix
@pytest.mark.parametrize("part", ["grounding-dino", "sam2"])
def test_a_checkpoint_that_is_not_whole_is_refused(weights: Path, tmp_path: Path, part: str) -> None:
    for file in weights.rglob("*.*"):
        copy = tmp_path / file.relative_to(weights)
        copy.parent.mkdir(exist_ok=True)
        copy.write_bytes(file.read_bytes())
    tensors = load_file(tmp_path / part / "model.safetensors")
    tensors.pop(next(name for name in sorted(tensors) if "mask_decoder" in name or "query_position" in name))
    save_file(tensors, tmp_path / part / "model.safetensors", {"format": "pt"})
    with pytest.raises(ModelLoadFailed):
        GroundedSam(TINY, tmp_path, "cpu")


def test_words_are_required_of_a_model_of_words() -> None:
    (unmet,) = unmet_requirements(TINY, SegmentParams(input_image="-"))
    assert (MissingField, "$.classes") == (unmet.error, unmet.field)
    assert [] == list(unmet_requirements(TINY, SegmentParams(input_image="-", classes=("dog",))))
    others = spec(family="eomt", modality="segment", capabilities=[])
    assert [] == list(unmet_requirements(others, SegmentParams(input_image="-")))
