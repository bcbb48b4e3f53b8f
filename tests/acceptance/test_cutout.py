"""From a product photo to its cut-out, through every real part, with the demo's own matting network."""

import base64
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import av
import numpy as np
import onnxruntime
import pytest
from PIL import Image

from pipelines.cutout.sessions import session_class
from pipelines.matting.evaluate import PHOTO, PHOTO_MASK, overlap
from tests.support.checkpoints import tiny_onnx
from tests.support.checkpoints.specs import entry
from tests.support.media.films import FPS, film_of
from tests.support.media.mug_film import MugFilm, flicker, mug_film, overlaps, transparency
from tests.support.servers.databases import Databases
from tests.support.servers.media_server import MediaServer
from tests.support.service import finished
from tests.support.service.model_service import model_service
from tests.support.service.service import Service

SIZE = (1024, 768)
ISNET = "isnet-general-use"
"""A session of rembg."""


@pytest.fixture(scope="module")
def shop() -> Iterator[MediaServer]:
    """A web server of the caller's."""
    with MediaServer() as server:
        server.serve("/mug.jpg", PHOTO.read_bytes(), headers={"content-type": "image/jpeg"})
        yield server


@pytest.fixture(scope="module")
def data_url() -> str:
    return f"data:image/jpeg;base64,{base64.b64encode(PHOTO.read_bytes()).decode()}"


def mask() -> np.ndarray:
    """Where the mug is, 0 to 1, as its renderer knows it."""
    with Image.open(PHOTO_MASK) as picture:
        return np.asarray(picture, np.float32) / 255


def make(studio: Service, image_url: str, **fields: Any) -> dict[str, Any]:
    return finished.make(studio, "remove-background", image_url=image_url, **fields)


def picture(status: dict[str, Any]) -> Image.Image:
    return Image.open(BytesIO(finished.download(status["result_url"])))


def test_a_data_url_becomes_a_cutout_of_the_mug(studio: Service, data_url: str) -> None:
    status = make(studio, data_url)

    image = picture(status)
    assert ("PNG", "RGBA", SIZE) == (image.format, image.mode, image.size)
    assert 0.9 < overlap(np.asarray(image.getchannel("A"), np.float32) / 255, mask())
    assert ("demo-cutout", []) == (status["model"], status["warnings"])
    (output,) = status["outputs"]
    assert {"media_type": "image/png", "width": 1024, "height": 768}.items() <= output.items()


@pytest.mark.long
def test_an_http_url_is_fetched_and_gives_the_same_pixels(studio: Service, shop: MediaServer, data_url: str) -> None:
    fetched = picture(make(studio, f"{shop.url}/mug.jpg"))

    assert "/mug.jpg" in shop.requests
    assert np.array_equal(np.asarray(picture(make(studio, data_url))), np.asarray(fetched))


@pytest.mark.long
def test_the_colors_of_the_mug_are_those_of_the_photo(studio: Service, data_url: str) -> None:
    made = np.asarray(picture(make(studio, data_url)))
    with Image.open(PHOTO) as photo:
        seen = np.asarray(photo.convert("RGB"))

    inside = (made[..., 3] == 255) & (mask() == 1)
    assert 0.1 < inside.mean()
    assert np.array_equal(seen[inside], made[inside][:, :3])
    assert 0 == made[made[..., 3] == 0].max()


@pytest.mark.long
@pytest.mark.matrix
@pytest.mark.parametrize(("output_format", "name"), [("png", "PNG"), ("webp", "WEBP"), ("jpeg", "PNG")])
def test_each_output_format(studio: Service, data_url: str, output_format: str, name: str) -> None:
    status = make(studio, data_url, output_format=output_format)

    image = picture(status)
    assert (name, "RGBA") == (image.format, image.mode)
    assert ("jpeg" == output_format) == any("JPEG" in warning for warning in status["warnings"])


@pytest.mark.long
def test_the_options(studio: Service, data_url: str) -> None:
    matte = picture(make(studio, data_url, mask_only=True))
    assert 0.9 < overlap(np.asarray(matte.convert("L"), np.float32) / 255, mask())

    on_white = np.asarray(picture(make(studio, data_url, background_color="#FFFFFF")).convert("RGB"))
    assert (255, 255, 255) == tuple(on_white[5, 5])

    rows, columns = (np.nonzero(mask().max(axis))[0] for axis in (1, 0))
    cropped = picture(make(studio, data_url, crop=True))
    assert abs(cropped.width - (columns[-1] - columns[0])) < 30
    assert abs(cropped.height - (rows[-1] - rows[0])) < 30


@pytest.mark.contract("E3")
def test_progress_is_told_as_it_rises(studio: Service, data_url: str) -> None:
    accepted = studio.client.post("/generate/remove-background/v1", json={"image_url": data_url})
    assert 202 == accepted.status_code, accepted.text
    finished.assert_progress_rises(studio, accepted.json()["job_id"])


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({}, "$.input_image"),
        ({"image_url": "https://a.example/b.png", "background_color": "white"}, "$.background_color"),
        ({"image_url": "https://a.example/b.png", "output_format": "gif"}, "$.output_format"),
    ],
)
def test_what_makes_no_sense_is_refused_at_once(studio: Service, fields: dict[str, Any], field: str) -> None:
    answer = studio.client.post("/generate/remove-background/v1", json=fields)

    assert 422 == answer.status_code
    assert field == answer.json()["field"], answer.text


def film_source(film: MugFilm, *, tone: int = 0) -> str:
    return f"data:video/mp4;base64,{base64.b64encode(film_of(film.frames, tone=tone)).decode()}"


@pytest.mark.long
def test_a_film_becomes_a_film_with_transparency_and_sound(studio: Service) -> None:
    film = mug_film()
    status = finished.make(studio, "remove-background", input_video=film_source(film, tone=440))
    (output,) = status["outputs"]
    assert ("video/webm", 256, 192, 1.0) == tuple(
        output[name] for name in ("media_type", "width", "height", "duration_seconds")
    )
    made = finished.download(status["result_url"])
    alphas = transparency(made)
    assert min(overlaps(film, alphas)) > 0.9
    assert flicker(alphas[:8]) < 1.0
    with av.open(BytesIO(made)) as container:
        heard = np.concatenate([frame.to_ndarray()[0] for frame in container.decode(audio=0)])
    assert 440 == pytest.approx(np.argmax(np.abs(np.fft.rfft(heard[4_800:43_200]))) / 0.8, abs=2)


@pytest.mark.long
def test_an_editing_program_gets_prores(studio: Service) -> None:
    film = mug_film(still=2, moving=1)
    status = finished.make(studio, "remove-background", input_video=film_source(film), output_format="mov")
    with av.open(BytesIO(finished.download(status["result_url"])), format="mov") as container:
        assert "prores" == container.streams.video[0].codec_context.name
        alphas = [frame.reformat(format="rgba").to_ndarray()[..., 3] for frame in container.decode(video=0)]
    assert min(overlaps(film, alphas)) > 0.9


@pytest.mark.long
@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({}, "missing_field"),
        ({"input_image": "https://shop.example/a.png", "input_video": "https://shop.example/a.mp4"}, "invalid_request"),
        ({"input_video": "https://shop.example/a.mp4", "crop": True}, "invalid_request"),
        ({"input_video": "https://shop.example/a.mp4", "semitransparency": True}, "invalid_request"),
    ],
)
def test_a_wrong_request_for_a_film_is_refused_at_once(studio: Service, fields: dict[str, Any], code: str) -> None:
    refused = studio.client.post("/generate/remove-background/v1", json=fields)
    assert (422, code) == (refused.status_code, refused.json()["code"]), refused.text


@pytest.mark.long
def test_a_film_that_is_too_long_fails_before_the_gpu(studio: Service) -> None:
    black = Image.new("RGB", (32, 32))
    film = MugFilm([black] * 31 * FPS, [])
    job_id = studio.client.post("/generate/remove-background/v1", json={"input_video": film_source(film)}).json()[
        "job_id"
    ]
    failed = studio.ended(job_id, 60)
    assert failed.error is not None
    assert ("not_supported_by_model", None) == (failed.error.code, failed.started_at)


@pytest.mark.long
def test_a_session_of_rembg_is_followed_and_cancelled(
    postgres: Databases, valkey: str, data_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that sees how bright a pixel is, on a film, whose frames are its steps."""
    tiny_onnx.brightness(ISNET, tmp_path / "weights" / ISNET)
    catalog = entry(ISNET, family="rembg", modality="remove-background", capabilities=["films"])
    film = {"input_video": film_source(mug_film())}
    with model_service(
        tmp_path, catalog, tmp_path / "weights", server_id="cutter", postgres=postgres, broker_url=valkey
    ) as service:
        jobs = (service.client.post("/generate/remove-background/v1", json=film).json()["job_id"] for _ in range(2))
        finished.assert_progress_rises(service, next(jobs))
        finished.assert_a_cancel_ends_it(service, "cutter", next(jobs))
        made = picture(make(service, data_url, mask_only=True))
    monkeypatch.setenv("U2NET_HOME", str(tmp_path))
    tiny_onnx.brightness(ISNET, tmp_path / "models" / ISNET)
    session = session_class(ISNET)(ISNET, onnxruntime.SessionOptions(), providers=["CPUExecutionProvider"])
    with Image.open(PHOTO) as photo:
        assert np.array_equal(session.predict(photo.convert("RGB"))[0], np.asarray(made.convert("L")))
