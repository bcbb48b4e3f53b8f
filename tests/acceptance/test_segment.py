"""From a picture to its parts, through every real part; EoMT as a tiny random checkpoint in the published layout."""

import base64
import json
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import EomtForUniversalSegmentation
from transformers.models.eomt.image_processing_pil_eomt import EomtImageProcessorPil

from atelier_client import Atelier
from jobs.params.cutout import SegmentParams
from pipelines.matting.evaluate import PHOTO, PHOTO_MASK, overlap
from pipelines.runtime.protocol import Inputs, RunContext
from pipelines.segment.grounded_sam import GroundedSam
from tests.support.checkpoints import tiny_segments
from tests.support.checkpoints.specs import entry, spec
from tests.support.media.drawings import SIZE, flat_art, png
from tests.support.servers.databases import Databases
from tests.support.service import finished
from tests.support.service.model_service import model_service
from tests.support.service.service import Service

LOW = 0.1
CONTEXT = RunContext(seed=1, progress=lambda fraction, stage: None, warn=lambda text: None)
SLOW = {"slow-eomt": ("eomt", "HamperedEomt", []), "slow-named": ("named", "HamperedGroundedSam", ["words"])}
"""Models that take a while for each step: of which, by which family, with what it takes."""


def source(data: bytes, media_type: str = "image/png") -> str:
    return f"data:{media_type};base64,{base64.b64encode(data).decode()}"


def parts(status: dict[str, Any]) -> tuple[np.ndarray, list[dict[str, Any]]]:
    """The numbers of the map, and what they are."""
    drawn, listed = (finished.download(output["url"]) for output in status["outputs"])
    with Image.open(BytesIO(drawn)) as image:
        assert ("PNG", "P") == (image.format, image.mode)
        return np.asarray(image), json.loads(listed)["segments"]


def test_the_demo_finds_the_mug(studio: Service) -> None:
    status = finished.make(studio, "segment", input_image=source(PHOTO.read_bytes(), "image/jpeg"))
    numbers, (thing,) = parts(status)
    with Image.open(PHOTO_MASK) as drawn:
        assert 0.9 < overlap((numbers == thing["id"]).astype(np.float32), np.asarray(drawn, np.float32) / 255)
    assert ("demo-segment", "thing") == (status["model"], thing["label"])
    assert any("without words" in warning for warning in status["warnings"])
    assert ["image/png", "application/json"] == [output["media_type"] for output in status["outputs"]]
    assert {"thumbnail", "web"} == {preview["name"] for preview in status["outputs"][0]["previews"]}


@pytest.mark.parametrize(
    ("fields", "code", "field"),
    [
        ({}, "missing_field", "$.input_image"),
        ({"input_image": "-", "threshold": 2}, "out_of_range", "$.threshold"),
        ({"input_image": "-", "classes": [""]}, "out_of_range", "$.classes"),
        ({"input_image": "https://shop.example/a.png", "classes": ["a\0"]}, "nul_in_text", "$.classes"),
    ],
)
def test_bad_input_is_refused_before_it_waits(studio: Service, fields: Any, code: str, field: str) -> None:
    answer = studio.client.post("/generate/segment/v1", json=fields)
    problem = answer.json()
    assert (422, code, field) == (answer.status_code, problem["code"], problem["field"].partition("[")[0])


@pytest.fixture(scope="module")
def tiny(postgres: Databases, valkey: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Service, Path]]:
    """A service whose worker serves a tiny EoMT and a model of words, and the checkpoint of the first."""
    folder = tmp_path_factory.mktemp("segments")
    weights = tiny_segments.save_eomt(folder / "weights" / "eomt")
    tiny_segments.save_grounded_sam(folder / "weights" / "named")
    catalog = entry("eomt", family="eomt", modality="segment")
    catalog += entry("named", family="grounded-sam", modality="segment", capabilities=["words"])
    for name, (source_of, family, able) in SLOW.items():
        path = {"source": {"path": source_of}, "capabilities": able}
        catalog += entry(name, family=f"tests.support.checkpoints.hampered:{family}", modality="segment", **path)
    with model_service(
        folder, catalog, folder / "weights", server_id="segments", postgres=postgres, broker_url=valkey
    ) as made:
        yield made, weights


@pytest.mark.long
def test_eomt_finds_what_transformers_finds(tiny: tuple[Service, Path]) -> None:
    service, weights = tiny
    numbers, found = parts(finished.make(service, "segment", input_image=source(png(flat_art())), threshold=LOW))
    model = EomtForUniversalSegmentation.from_pretrained(weights).eval()
    processor = EomtImageProcessorPil.from_pretrained(weights)
    with torch.inference_mode():
        outputs = model(**processor(flat_art(), return_tensors="pt"))
    (wanted,) = processor.post_process_panoptic_segmentation(
        outputs, target_sizes=[SIZE[::-1]], threshold=LOW, stuff_classes=list(range(80, 133))
    )
    infos = {round(each["score"], 4): each for each in wanted["segments_info"]}
    assert 2 <= len(infos) == len(found)
    for each in found:
        info = infos[each["score"]]
        assert tiny_segments.NAMES[info["label_id"]] == each["label"]
        assert np.array_equal(numbers == each["id"], wanted["segmentation"].numpy() == info["id"])


@pytest.mark.long
def test_a_model_of_words_finds_what_is_named(tiny: tuple[Service, Path], tmp_path: Path) -> None:
    """What the family finds, which `tests/unit/pipelines/segment/test_grounded_sam.py` compares with transformers."""
    service, weights = tiny
    body = {"model": "named", "input_image": source(png(flat_art())), "threshold": LOW}
    numbers, found = parts(finished.make(service, "segment", **body, classes=["red disk", "box"]))
    assert found
    assert {each["label"] for each in found} <= {"red disk", "box"}
    flat_art().save(tmp_path / "art.png")
    model = GroundedSam(spec(modality="segment", capabilities=["words"]), weights.parent / "named", "cpu")
    params = SegmentParams(input_image="-", threshold=LOW, classes=("red disk", "box"))
    made = model.run(params, Inputs({"input_image": tmp_path / "art.png"}), CONTEXT)
    assert np.array_equal(made.arrays["map"], numbers)
    assert json.loads(made.arrays["segments"].tobytes())["segments"] == found
    problem = service.client.post("/generate/segment/v1", json=body).json()
    assert ("missing_field", "$.classes") == (problem["code"], problem["field"])


@pytest.mark.long
def test_the_same_picture_gives_the_same_bytes_by_the_sdk(tiny: tuple[Service, Path]) -> None:
    service, _ = tiny
    with Atelier(service.url, service.key) as client:
        made = [client.segment(input_image=source(png(flat_art())), threshold=LOW) for _ in range(2)]
    first, second = ([output.sha256 for output in status.outputs] for status in made)
    assert first == second


@pytest.mark.long
@pytest.mark.parametrize("model", ["eomt", "named"])
def test_progress_rises_and_a_cancel_comes_between_layers(tiny: tuple[Service, Path], model: str) -> None:
    """A tiny model is done before it can be seen at work, so it is followed and cancelled where its steps take longer.

    EoMT reports before each layer, the model of words before each of its networks.
    """
    service, _ = tiny
    body = {"model": f"slow-{model}", "input_image": source(png(flat_art())), "classes": ["red disk"]}
    jobs = (service.client.post("/generate/segment/v1", json=body).json()["job_id"] for _ in range(2))
    finished.assert_progress_rises(service, next(jobs))
    finished.assert_a_cancel_ends_it(service, "segments", next(jobs))
    assert finished.make(service, "segment", **body | {"model": model})["outputs"]
