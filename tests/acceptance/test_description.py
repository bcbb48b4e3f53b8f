"""Descriptions of pictures by their classes, through every real part: of a random net, and of the demo model."""

import base64
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.support.checkpoints import tiny_labels
from tests.support.checkpoints.specs import entry
from tests.support.media.drawings import flat_art, png
from tests.support.paths import PHOTO
from tests.support.servers.databases import Databases
from tests.support.service import finished
from tests.support.service.model_service import model_service
from tests.support.service.service import Service

pytestmark = pytest.mark.long

LINE = re.compile(r"Probably an? (.+) \((\d+) %\), mainly (.+)\.")
SEES = {"modality": "text", "capabilities": ["vision", "films"], "templates": ["description"]}


def asked(*pictures: bytes, media_type: str = "image/png", **fields: Any) -> dict[str, Any]:
    urls = [f"data:{media_type};base64,{base64.b64encode(one).decode()}" for one in pictures]
    return {"template": "description", "images": urls, **fields}


def noise(seed: int) -> Image.Image:
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 6, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((300, 240), Image.Resampling.BICUBIC)


@pytest.fixture(scope="module")
def labels(
    postgres: Databases, valkey: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Service, Path]]:
    """A service of a random net, which also serves it with steps that take a while; and the checkpoint."""
    folder = tmp_path_factory.mktemp("labels")
    weights = tiny_labels.save(folder / "weights" / "labels")
    hampered = "tests.support.checkpoints.hampered:HamperedLabels"
    catalog = entry("labels", family="picture-labels", **SEES)
    catalog += entry("slow-labels", family=hampered, source={"path": "labels"}, **SEES)
    with model_service(
        folder, catalog, folder / "weights", server_id="labels", postgres=postgres, broker_url=valkey
    ) as made:
        yield made, weights


def test_a_picture_is_of_the_class_of_the_facts_written_out(labels: tuple[Service, Path]) -> None:
    service, weights = labels
    pictures = [noise(1), noise(2), flat_art()]
    body = asked(*map(png, pictures), model="labels")
    text, again = (finished.make(service, "text", **body)["outputs"][0]["text"] for _ in range(2))
    assert text == again
    for line, picture in zip(text.splitlines(), pictures, strict=True):
        found, shares = LINE.fullmatch(line), tiny_labels.reference(weights, picture)
        assert found
        assert tiny_labels.CLASSES[int(shares.argmax())] == found[1]
        assert abs(100 * float(shares.max()) - int(found[2])) <= 1


def test_progress_rises_and_a_cancel_comes_between_pictures(labels: tuple[Service, Path]) -> None:
    service, _ = labels
    body = asked(*(png(noise(seed)) for seed in range(4)), model="slow-labels")
    jobs = (service.client.post("/generate/text/v1", json=body).json()["job_id"] for _ in range(2))
    finished.assert_progress_rises(service, next(jobs))
    finished.assert_a_cancel_ends_it(service, "labels", next(jobs))
    assert finished.make(service, "text", **body | {"model": "labels"})["outputs"]


def test_the_demo_model_says_mug(studio: Service, unpacked: Callable[[str], Path]) -> None:
    unpacked("demo-labels")
    body = asked(PHOTO.read_bytes(), media_type="image/jpeg", model="demo-labels")
    found = LINE.fullmatch(finished.make(studio, "text", **body)["outputs"][0]["text"])
    assert found
    assert (True, "silver, gray and teal") == (found[1] in ("coffee mug", "tea cup"), found[3])
