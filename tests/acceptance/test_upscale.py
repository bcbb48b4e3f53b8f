"""From a picture or a film to a larger one, through every real part."""

import base64
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import torch
from PIL import Image

from atelier_client import Atelier
from jobs.job import JobStatus
from pipelines.upscale.tiles import TILE
from tests.support.checkpoints import tiny_upscale
from tests.support.checkpoints.specs import entry
from tests.support.media.drawings import flat_art, noise, png, sharpness
from tests.support.media.films import FPS, film_of, moving_art
from tests.support.media.videos import decode_video, psnr
from tests.support.servers.databases import Databases
from tests.support.service import finished
from tests.support.service.model_service import model_service
from tests.support.service.service import Service

pytestmark = pytest.mark.long

SMALL = flat_art().resize((160, 120), Image.Resampling.BOX)
TINY = {"family": "real-esrgan", "modality": "upscale"}


def source(data: bytes, media_type: str = "image/png") -> str:
    return f"data:{media_type};base64,{base64.b64encode(data).decode()}"


def film(status: dict[str, Any]) -> bytes:
    return finished.download(status["result_url"])


def picture(status: dict[str, Any]) -> np.ndarray:
    with Image.open(BytesIO(finished.download(status["result_url"]))) as image:
        return np.asarray(image.convert("RGB"))


def test_a_picture_is_nearer_to_its_original_than_by_a_filter(studio: Service) -> None:
    made = {
        method: finished.make(
            studio, "upscale", input_image=source(png(SMALL)), scale=2, method=method, output_format="png"
        )
        for method in ("realesrgan", "lanczos")
    }
    whole = np.asarray(flat_art())
    network, by_filter = (picture(made[method]) for method in made)
    assert psnr(whole, network) > psnr(whole, by_filter) + 1
    assert sharpness(network) > 1.4 * sharpness(by_filter)
    assert [*made] == [status["outputs"][0]["method"] for status in made.values()]


def test_the_same_request_gives_the_same_bytes(studio: Service) -> None:
    first, second = (
        finished.make(studio, "upscale", input_image=source(png(SMALL)), scale=2)["outputs"][0] for _ in range(2)
    )
    assert first["sha256"] == second["sha256"]
    assert ("image/webp", 320, 240) == (first["media_type"], first["width"], first["height"])


def test_a_film_keeps_its_rate_and_its_sound(studio: Service) -> None:
    status = finished.make(
        studio, "upscale", input_video=source(film_of(moving_art(12, (96, 64)), tone=440), "video/mp4"), scale=2
    )
    assert (192, 128, 1.0) == tuple(status["outputs"][0][name] for name in ("width", "height", "duration_seconds"))
    with av.open(BytesIO(film(status))) as container:
        heard = np.concatenate([frame.to_ndarray()[0] for frame in container.decode(audio=0)])
    spectrum = np.abs(np.fft.rfft(heard[4_800:43_200]))
    assert 440 == pytest.approx(np.argmax(spectrum) / 0.8, abs=2)


def test_the_client_has_a_method(studio: Service, tmp_path: Path) -> None:
    (tmp_path / "small.png").write_bytes(png(SMALL))
    with Atelier(studio.url, studio.key) as atelier:
        status = atelier.upscale(input_image=tmp_path / "small.png", scale=2, output_format="png")
        atelier.download(status.outputs[0], tmp_path / "large.png")
    with Image.open(tmp_path / "large.png") as image:
        assert (320, 240) == image.size


def test_a_larger_film_is_a_step_of_a_chain(studio: Service) -> None:
    film_id = studio.client.post("/inputs/v1", files={"file": film_of(moving_art(6, (64, 64)))}).json()["input_id"]
    steps = [
        {"name": "film", "modality": "upscale", "input_video": film_id, "scale": 2},
        {"name": "again", "modality": "upscale", "input_video": "step:film", "scale": 2},
    ]
    answer = studio.client.post("/chains/v1", json={"steps": steps}).raise_for_status().json()
    job_id = answer["steps"][1]["job"]["job_id"]
    studio.ended(job_id, 120)
    status = studio.client.get(f"/generate/upscale/v1/status/{job_id}").json()
    assert (256, 256) == decode_video(film(status), "mp4").frames.shape[1:3]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "missing_field"),
        ({"input_image": source(png(SMALL)), "input_video": source(b"", "video/mp4")}, "invalid_request"),
        ({"input_image": source(png(SMALL)), "scale": 3}, "out_of_range"),
        ({"input_video": "https://shop.example/a.mp4", "model": "realesrgan-x4plus"}, "not_supported_by_model"),
        ({"input_image": "https://shop.example/a.jpg", "model": "realesrgan-x2plus"}, "not_supported_by_model"),
    ],
)
def test_a_wrong_request_is_refused_at_once(studio: Service, body: dict[str, Any], code: str) -> None:
    refused = studio.client.post("/generate/upscale/v1", json=body)
    assert (422, code) == (refused.status_code, refused.json()["code"]), refused.text


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"input_image": source(png(Image.new("RGB", (2100, 2000)))), "scale": 4}, "not_supported_by_model"),
        ({"input_image": source(film_of(moving_art(2)), "video/mp4")}, "unsupported_media"),
        ({"input_video": source(png(SMALL))}, "unsupported_media"),
        (
            {"input_video": source(film_of([Image.new("RGB", (32, 32))] * 31 * FPS), "video/mp4")},
            "not_supported_by_model",
        ),
    ],
    ids=["too-large", "a-film-for-a-picture", "a-picture-for-a-film", "too-long"],
)
def test_a_wrong_file_fails_with_its_code(studio: Service, body: dict[str, Any], code: str) -> None:
    answer = studio.client.post("/generate/upscale/v1", json=body)
    if answer.status_code == 422:
        assert code == answer.json()["code"]
        return
    failed = studio.ended(answer.json()["job_id"], 60)
    assert failed.error is not None
    assert (JobStatus.FAILED, code) == (failed.status, failed.error.code)


@pytest.fixture(scope="module")
def published(postgres: Databases, valkey: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service of random networks in the published layouts."""
    folder = tmp_path_factory.mktemp("published")
    nets = {"x4": tiny_upscale.rrdb(), "x2": tiny_upscale.rrdb(fold=2), "small": tiny_upscale.compact()}
    for name, tensors in nets.items():
        tiny_upscale.save(folder / name, tensors)
    entries = [
        entry("x4", **TINY),
        entry("x2", **TINY, limits={"max_scale": 2}),
        entry("small", **TINY, capabilities=["films"]),
    ]
    with model_service(
        folder, "".join(entries), folder, server_id="published", postgres=postgres, broker_url=valkey
    ) as made:
        yield made


@pytest.mark.parametrize(("model", "scale"), [("x4", 4), ("x2", 2), ("small", 4)])
def test_the_pixels_are_those_of_the_published_code(published: Service, model: str, scale: int) -> None:
    art = noise(40)
    tensors = {"x4": tiny_upscale.rrdb(), "x2": tiny_upscale.rrdb(fold=2), "small": tiny_upscale.compact()}[model]
    status = finished.make(
        published, "upscale", input_image=source(png(art)), model=model, scale=scale, output_format="png"
    )
    seen = torch.from_numpy(np.asarray(art).copy()).permute(2, 0, 1)[None].float() / 255
    wanted = (tiny_upscale.enlarged(tensors, seen)[0].clamp(0, 1) * 255).round().permute(1, 2, 0).numpy()
    difference = np.abs(picture(status).astype(int) - wanted)
    assert difference.max() <= 1
    assert (difference > 0).mean() < 0.001


def test_a_film_goes_to_the_model_that_takes_films(published: Service) -> None:
    status = finished.make(
        published, "upscale", input_video=source(film_of(moving_art(3, (64, 48))), "video/mp4"), scale=4
    )
    assert "small" == status["model"]


def test_progress_rises_and_a_cancel_comes_between_tiles(published: Service) -> None:
    large = {"input_image": source(png(Image.new("RGB", (4 * TILE, 3 * TILE), "teal"))), "model": "small", "scale": 2}
    jobs = (published.client.post("/generate/upscale/v1", json=large).json()["job_id"] for _ in range(2))
    finished.assert_progress_rises(published, next(jobs))
    finished.assert_a_cancel_ends_it(published, "published", next(jobs))
    assert "completed" == finished.make(published, "upscale", input_image=source(png(SMALL)), scale=2)["status"]
