"""Motion control by Wan-Animate-2, from API to download: a tiny random checkpoint, through real processes."""

import base64
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps

from jobs.params.video import VideoParams
from pipelines.runtime.protocol import RawOutput
from pipelines.video.clips import read_facts, read_frames
from pipelines.video.encode import encode
from tests.support.checkpoints import tiny_animate
from tests.support.checkpoints.specs import entry
from tests.support.media.films import FPS, film_of, moving_art
from tests.support.media.videos import decode_video, scene
from tests.support.servers.databases import Databases
from tests.support.service import finished
from tests.support.service.model_service import model_service
from tests.support.service.service import Service
from workers.ingest.film_cleaner import clean_film

pytestmark = pytest.mark.long

SIZE = (64, 96)
STILL = scene((120, 150))
FILM = film_of(moving_art(9))
MANY_STEPS = 60


def data_url(data: bytes, media_type: str) -> str:
    return f"data:{media_type};base64,{base64.b64encode(data).decode()}"


def png(picture: Image.Image) -> bytes:
    file = BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


ASKED: dict[str, Any] = {
    "model": "animate",
    "prompt": "a",
    "input_image": data_url(png(STILL), "image/png"),
    "motion_video": data_url(FILM, "video/mp4"),
    "width": SIZE[0],
    "height": SIZE[1],
    "duration_seconds": 0.75,
    "num_inference_steps": 2,
    "seed": 1,
}


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("weights")
    tiny_animate.save(folder / "animate")
    return folder


@pytest.fixture(scope="module")
def animation(
    postgres: Databases, valkey: str, weights: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    catalog = entry(
        "animate",
        family="wan-animate",
        modality="video",
        capabilities=["motion-control", "negative-prompt"],
        limits={"frame_step": 4, "side_multiple": 32, "clip_seconds": 5 / FPS},
        defaults={"fps": FPS, "guidance_scale": 3.0},
    )
    folder = tmp_path_factory.mktemp("animation")
    with model_service(folder, catalog, weights, server_id="animate", postgres=postgres, broker_url=valkey) as made:
        yield made


@pytest.mark.contract("B51")
def test_a_film_is_the_one_of_diffusers(animation: Service, weights: Path, tmp_path: Path) -> None:
    status = finished.make(animation, "video", **ASKED)

    given, clean = tmp_path / "given.mp4", tmp_path / "clean.mp4"
    given.write_bytes(FILM)
    clean_film(given, "video/mp4", clean)
    film = [Image.fromarray(frame) for frame in read_frames(read_facts(clean))]
    torch.set_num_threads(1)
    with torch.compiler.set_stance("force_eager"):  # diffusers compiles the mask of its attention, in minutes
        planes = tiny_animate.made_directly(
            weights / "animate",
            ImageOps.fit(STILL, SIZE, Image.Resampling.LANCZOS),
            film,
            segment=5,
            steps=2,
            prompt="a",
        )
    raw = RawOutput(arrays={"frames": planes}, metadata={"fps": FPS})
    (output,) = encode(raw, VideoParams(), tmp_path).files
    expected = decode_video((tmp_path / output.path).read_bytes(), "mp4").frames
    made = decode_video(finished.download(status["result_url"]), "mp4").frames
    assert (9, 96, 64, 3) == made.shape
    assert np.array_equal(expected, made)
    assert any("made 2 clips" in warning for warning in status["warnings"])


def test_the_same_seed_gives_the_same_bytes(animation: Service) -> None:
    first, again, other = (
        finished.make(animation, "video", **ASKED | {"seed": seed})["outputs"][0]["sha256"] for seed in (5, 5, 6)
    )
    assert first == again != other


def test_progress_rises_and_a_cancel_ends_it(animation: Service) -> None:
    slow = ASKED | {"num_inference_steps": MANY_STEPS}
    job_id = animation.client.post("/generate/video/v1", json=slow).raise_for_status().json()["job_id"]
    finished.assert_progress_rises(animation, job_id)
    job_id = animation.client.post("/generate/video/v1", json=slow | {"seed": 4}).json()["job_id"]
    finished.assert_a_cancel_ends_it(animation, "animate", job_id)
    assert "completed" == finished.make(animation, "video", **ASKED)["status"]


@pytest.mark.parametrize(
    ("missing", "code"), [("motion_video", "missing_field"), ("input_image", "missing_field"), (None, "out_of_range")]
)
def test_what_it_needs_is_said_at_the_submit(animation: Service, missing: str | None, code: str) -> None:
    body = {name: value for name, value in ASKED.items() if name != missing}
    answer = animation.client.post("/generate/video/v1", json=body | ({} if missing else {"duration_seconds": 20}))
    assert (422, code, f"$.{missing or 'duration_seconds'}") == (
        answer.status_code,
        answer.json()["code"],
        answer.json()["field"],
    )
