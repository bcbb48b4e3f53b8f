"""From a film to one of more frames, through every real part."""

import base64
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from atelier_client import Atelier
from jobs.job import JobStatus
from tests.support.media.films import FPS, film_of, moving_art
from tests.support.media.videos import decode_video, psnr
from tests.support.service import finished
from tests.support.service.service import Service


def test_a_film_has_twice_as_many_frames(studio: Service) -> None:
    own = moving_art(4, (96, 64))
    film = f"data:video/mp4;base64,{base64.b64encode(film_of(own)).decode()}"
    status = finished.make(studio, "interpolate", input_video=film)
    made = decode_video(finished.download(status["result_url"]), "mp4")
    (output,) = status["outputs"]

    assert (8, 2 * FPS) == (len(made.frames), made.fps)
    assert all(psnr(np.asarray(frame), made.frames[2 * number]) > 27 for number, frame in enumerate(own))
    assert "rife" == output["method"]
    assert not any(np.array_equal(made.frames[place], made.frames[place + 1]) for place in range(6))
    assert 4 / FPS == pytest.approx(output["duration_seconds"], abs=0.01)


@pytest.mark.long
def test_progress_rises_and_a_cancel_comes_between_frames(studio: Service) -> None:
    film = f"data:video/mp4;base64,{base64.b64encode(film_of(moving_art(48, (192, 128)))).decode()}"
    asked = {"input_video": film, "factor": 4}
    jobs = (studio.client.post("/generate/interpolate/v1", json=asked).json()["job_id"] for _ in range(2))
    finished.assert_progress_rises(studio, next(jobs))
    finished.assert_a_cancel_ends_it(studio, "studio", next(jobs))


@pytest.mark.long
def test_the_client_has_a_method(studio: Service, tmp_path: Path) -> None:
    (tmp_path / "film.mp4").write_bytes(film_of(moving_art(3, (96, 64))))
    with Atelier(studio.url, studio.key) as atelier:
        status = atelier.interpolate(input_video=tmp_path / "film.mp4", factor=3, output_format="webm")
        atelier.download(status.outputs[0], tmp_path / "smooth.webm")
    assert 9 == len(decode_video((tmp_path / "smooth.webm").read_bytes(), "webm").frames)


@pytest.mark.long
def test_the_film_of_another_step_gets_more_frames(studio: Service) -> None:
    film = {"name": "film", "modality": "video", "prompt": "a red circle", "model": "demo-scene"}
    film |= {"width": 96, "height": 64, "duration_seconds": 0.3}
    steps = [film, {"name": "smooth", "modality": "interpolate", "input_video": "step:film", "factor": 4}]
    chain = studio.client.post("/chains/v1", json={"steps": steps}).raise_for_status().json()
    job_id = chain["steps"][1]["job"]["job_id"]
    assert JobStatus.COMPLETED == studio.ended(job_id, 120).status
    status = studio.client.get(f"/generate/interpolate/v1/status/{job_id}").json()
    assert 96 == decode_video(finished.download(status["result_url"]), "mp4").fps


@pytest.mark.long
@pytest.mark.parametrize(
    ("fields", "code", "field"),
    [({}, "missing_field", "$.input_video"), ({"input_video": "x", "factor": 5}, "out_of_range", "$.factor")],
)
def test_what_is_wrong_is_said(studio: Service, fields: dict[str, Any], code: str, field: str) -> None:
    answer = studio.client.post("/generate/interpolate/v1", json=fields)
    assert (422, code, field) == (answer.status_code, answer.json()["code"], answer.json()["field"])
