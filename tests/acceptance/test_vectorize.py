"""From a picture to its SVG, through every real part."""

import base64
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from atelier_client import Atelier
from jobs.job import JobStatus
from pipelines.catalog.limits import MAX_PATHS
from pipelines.vectorize.svg import read_shapes
from tests.support.checkpoints.specs import entry
from tests.support.media.drawings import LIKE, SIZE, flat_art, likeness, noise, png
from tests.support.media.videos import psnr
from tests.support.servers.databases import Databases
from tests.support.service import finished
from tests.support.service.model_service import model_service
from tests.support.service.service import Service

pytestmark = pytest.mark.long


def source(image: Image.Image) -> str:
    return f"data:image/png;base64,{base64.b64encode(png(image)).decode()}"


def make(studio: Service, image: Image.Image, **fields: Any) -> dict[str, Any]:
    return finished.make(studio, "vectorize", input_image=source(image), **fields)


def test_a_browser_runs_nothing_of_the_file(studio: Service) -> None:
    status = make(studio, flat_art())
    answer = httpx.get(status["result_url"], follow_redirects=True)
    assert "image/svg+xml" == answer.headers["content-type"]
    assert ("default-src 'none'; sandbox", "nosniff") == (
        answer.headers["content-security-policy"],
        answer.headers["x-content-type-options"],
    )
    assert answer.headers["content-disposition"].endswith('.svg"')
    assert read_shapes(answer.content)


def test_the_same_request_gives_the_same_bytes(studio: Service) -> None:
    first, second = (make(studio, flat_art(), colors=4)["outputs"][0] for _ in range(2))
    assert first["sha256"] == second["sha256"]
    assert ("image/svg+xml", *SIZE) == (first["media_type"], first["width"], first["height"])


@pytest.mark.parametrize("mode", ["spline", "polygon", "pixel"])
def test_each_mode_looks_like_its_picture(studio: Service, mode: str) -> None:
    status = make(studio, flat_art(), mode=mode, colors=4)
    assert likeness(finished.download(status["result_url"]), flat_art()) > LIKE


def test_the_library_shows_it(studio: Service) -> None:
    job_id = make(studio, flat_art())["job_id"]
    items = studio.client.get("/media/v1", params={"kind": "image"}).json()["media"]
    (item,) = (one for one in items if one["job_id"] == job_id)
    assert "image/svg+xml" == item["media_type"]
    (small,) = (one for one in item["previews"] if one["name"] == "thumbnail")
    shown = finished.download(small["url"])
    with Image.open(BytesIO(shown)) as small:
        assert SIZE == small.size
        assert psnr(np.asarray(flat_art()), np.asarray(small.convert("RGB"))) > LIKE


def test_a_noisy_picture_is_drawn_coarser(studio: Service) -> None:
    status = make(studio, noise(600))
    assert "it was traced at" in status["warnings"][0]
    assert len(read_shapes(finished.download(status["result_url"]))) <= MAX_PATHS


def test_a_noisy_picture_is_refused_with_a_named_detail(studio: Service) -> None:
    asked = {"input_image": source(noise(600)), "detail": "high"}
    failed = studio.ended(studio.client.post("/generate/vectorize/v1", json=asked).json()["job_id"], 120)
    assert failed.error is not None
    assert (JobStatus.FAILED, "picture_too_busy") == (failed.status, failed.error.code)
    assert "leave `detail` out" in failed.error.message


def test_an_svg_is_no_picture_of_the_next_job(studio: Service) -> None:
    job_id = make(studio, flat_art())["job_id"]
    answer = studio.client.post("/generate/vectorize/v1", json={"input_image": f"output:{job_id}/0"})
    assert (422, "unsupported_media", "$.input_image") == (
        answer.status_code,
        answer.json()["code"],
        answer.json().get("field"),
    ), answer.text


def test_the_client_has_a_method(studio: Service, tmp_path: Path) -> None:
    (tmp_path / "logo.png").write_bytes(png(flat_art()))
    with Atelier(studio.url, studio.key) as atelier:
        status = atelier.vectorize(input_image=tmp_path / "logo.png", colors=4)
        atelier.download(status.outputs[0], tmp_path / "logo.svg")
    assert likeness((tmp_path / "logo.svg").read_bytes(), flat_art()) > LIKE


@pytest.fixture
def hasty(postgres: Databases, valkey: str, tmp_path: Path) -> Iterator[Service]:
    """A service whose engine has a third of a second for each tracing."""
    one = entry("vtracer", family="vtracer", modality="vectorize", source=None, deadlines={"step": 0.3})
    with model_service(tmp_path, one, tmp_path, server_id="hasty", postgres=postgres, broker_url=valkey) as made:
        yield made


def test_a_tracing_that_takes_too_long_is_ended_from_outside(hasty: Service) -> None:
    slow = {"input_image": source(noise(520)), "colors": 64, "filter_speckle": 0}
    failed = hasty.ended(hasty.client.post("/generate/vectorize/v1", json=slow).json()["job_id"], 120)
    assert failed.error is not None
    assert (JobStatus.FAILED, "stage_deadline_exceeded") == (failed.status, failed.error.code)
    assert "completed" == make(hasty, Image.new("RGB", (8, 8), "red"))["status"]
