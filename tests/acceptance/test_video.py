"""From a still to a stored film that a browser plays: the demo's camera through every real part."""

import base64
import shutil
import threading
from collections.abc import Iterator
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageOps

from tests.support.media.films import film_of
from tests.support.media.videos import DecodedVideo, decode_video, psnr, scene
from tests.support.service import finished
from tests.support.service.service import Service

STILL = (960, 720)
SMALL_SIZE = (192, 128)
SMALL = {"width": SMALL_SIZE[0], "height": SMALL_SIZE[1], "duration_seconds": 0.5}
BROWSER = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
]


@cache
def still() -> str:
    """A photograph's stand-in, as a `data:` URL."""
    return as_url(scene(STILL))


def as_url(image: Image.Image) -> str:
    file = BytesIO()
    image.save(file, "PNG")
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"


def disc(place: float) -> Image.Image:
    """A red disc, at this share of the width, on blue."""
    large = Image.new("RGB", (SMALL_SIZE[0] * 4, SMALL_SIZE[1] * 4), "#2040a0")
    ImageDraw.Draw(large).circle((place * large.width, large.height / 2), 120, fill="red")
    return large.resize(SMALL_SIZE, Image.Resampling.LANCZOS)


def red_disc(frame: np.ndarray) -> tuple[float, int]:
    """Where the middle of what is red is, as a share of the width, and how many pixels it has."""
    columns = np.nonzero((frame[..., 0] > 170) & (frame[..., 2] < 90))[1]
    return (columns.mean() + 0.5) / frame.shape[1], len(columns)


def make(studio: Service, **fields: Any) -> dict[str, Any]:
    """The status answer of a finished film of the demo."""
    return finished.make(studio, "video", **{"input_image": still(), **fields})


def download(status: dict[str, Any]) -> bytes:
    """The first output."""
    return finished.download(status["result_url"])


def film(status: dict[str, Any], container: str = "mp4") -> DecodedVideo:
    return decode_video(download(status), container)


def first_frame(size: tuple[int, int]) -> np.ndarray:
    return np.asarray(ImageOps.fit(scene(STILL), size, Image.Resampling.LANCZOS))


@pytest.mark.contract("C24", "C25", "C27", "C28", "C30", "C32")
def test_a_still_alone_becomes_two_seconds_of_mp4(studio: Service) -> None:
    status = make(studio)
    made = film(status)

    assert (48, 512, 896, 3) == made.frames.shape
    assert (24, "h264", "yuv420p") == (made.fps, made.codec, made.pixel_format)
    assert 2.0 == pytest.approx(made.duration, abs=0.02)
    assert psnr(first_frame((896, 512)), made.frames[0]) >= 30
    assert psnr(made.frames[0], made.frames[-1]) < 30
    assert ("video", "demo-camera", []) == (status["modality"], status["model"], status["warnings"])
    (output,) = status["outputs"]
    facts = {"media_type": "video/mp4", "width": 896, "height": 512, "duration_seconds": 2.0}
    assert facts.items() <= output.items()
    assert status["result_url"].partition("?")[0].endswith("/0.mp4")


@pytest.mark.long
def test_prompt_and_seed_have_defaults_and_repeat_the_video(studio: Service) -> None:
    plain = make(studio, **SMALL)
    said = make(studio, **SMALL, prompt="cinematic motion", seed=42)
    assert 42 == plain["seed"]
    assert download(plain) == download(said)

    random, again = make(studio, **SMALL, seed=-1), make(studio, **SMALL, seed=-1)
    assert random["seed"] != again["seed"]
    assert download(random) == download(make(studio, **SMALL, seed=random["seed"]))


@pytest.mark.long
def test_the_prompt_moves_the_camera(studio: Service) -> None:
    left, right = (film(make(studio, **SMALL, prompt=f"pan {way}")).frames for way in ("left", "right"))

    assert psnr(left[0], right[0]) > 35
    assert psnr(left[-1], right[-1]) < 30


@pytest.mark.contract("B51")
def test_a_still_moves_as_a_film_does(studio: Service) -> None:
    drive = film_of([scene((160, 128)).crop((4 * n, 0, 4 * n + 96, 64)) for n in range(6)])
    fields = {**SMALL, "model": "demo-motion", "duration_seconds": 0.3}
    status = make(studio, **fields, motion_video=f"data:video/mp4;base64,{base64.b64encode(drive).decode()}")
    frames = film(status).frames
    moved = np.roll(frames[0], -20 * 2 * 5 // 6, axis=1)[:, 40:-48]  # 20 of 96 pixels to the left, of twice as many

    assert status["warnings"][0].startswith("camera motion only: ")
    assert psnr(moved, frames[-1][:, 40:-48]) > psnr(frames[0][:, 40:-48], frames[-1][:, 40:-48]) + 3


@pytest.mark.contract("B49")
def test_a_still_becomes_another(studio: Service) -> None:
    first, last = (disc(place) for place in (0.42, 0.58))
    named = {"input_image": as_url(first), "last_image": as_url(last), "duration_seconds": 0.4}
    status = finished.make(studio, "video", **{**SMALL, **named})
    frames = film(status).frames
    places, areas = zip(*map(red_disc, frames), strict=True)

    assert "demo-morph" == status["model"]
    assert (
        min(psnr(np.asarray(first), frames[0]), psnr(np.asarray(last), frames[-1])) > 28 > psnr(frames[0], frames[-1])
    )
    assert list(places) == sorted(places), "it moves all the way"
    assert 0.5 == pytest.approx((places[len(places) // 2 - 1] + places[len(places) // 2]) / 2, abs=0.03)
    assert min(areas) > 0.6 * areas[0], "it is one disc all the way, and not two that fade"


@pytest.mark.contract("C27", "C28", "C29")
def test_sides_are_multiples_of_32_up_to_1536(studio: Service) -> None:
    made = film(make(studio, width=1536, height=96, duration_seconds=0.1))
    assert (96, 1536) == made.frames.shape[1:3]
    for field, value in (("width", 1568), ("width", 900), ("height", 520), ("height", 0)):
        answer = studio.client.post("/generate/video/v1", json={"input_image": still(), field: value})
        assert (422, "out_of_range") == (answer.status_code, answer.json()["code"]), answer.text


@pytest.mark.contract("C30")
def test_a_tenth_of_a_second_up_to_ten(studio: Service) -> None:
    for seconds, frames in ((0.1, 2), (10, 240)):
        made = film(make(studio, width=64, height=64, duration_seconds=seconds))
        assert frames == len(made.frames)
        assert seconds == pytest.approx(made.duration, abs=0.5 / 24)
    for seconds in (0.05, 10.5):
        answer = studio.client.post("/generate/video/v1", json={"input_image": still(), "duration_seconds": seconds})
        assert (422, "out_of_range") == (answer.status_code, answer.json()["code"]), answer.text


def test_a_prompt_alone_becomes_a_video_of_what_it_names(studio: Service) -> None:
    prompt = "zoom in on a red circle on a white background"
    status = finished.make(studio, "video", prompt=prompt, **SMALL)
    frames = film(status).frames

    assert ("demo-scene", []) == (status["model"], status["warnings"])
    assert (12, 128, 192, 3) == frames.shape
    middle, corner = frames[0][64, 96].astype(int), frames[0][4, 4]
    assert middle[0] > 150 > 80 > middle[1]
    assert 230 < corner.min()
    red = [np.count_nonzero((frame[..., 0] > 150) & (frame[..., 1] < 80)) for frame in frames]
    assert red[-1] > 1.05 * red[0] > 0


@pytest.mark.long
def test_webm(studio: Service) -> None:
    status = make(studio, **SMALL, output_format="webm")
    made = film(status, "webm")

    assert ("vp9", "yuv420p", (12, 128, 192, 3)) == (made.codec, made.pixel_format, made.frames.shape)
    assert psnr(first_frame((192, 128)), made.frames[0]) >= 30
    assert "video/webm" == status["outputs"][0]["media_type"]


@pytest.mark.contract("C4")
def test_a_format_of_pictures_gives_mp4_and_a_warning(studio: Service) -> None:
    status = make(studio, **SMALL, output_format="webp")

    assert "video/mp4" == status["outputs"][0]["media_type"]
    assert any("mp4" in warning for warning in status["warnings"]), status["warnings"]


@pytest.mark.contract("E3")
def test_progress_is_told_as_it_rises(studio: Service) -> None:
    body = {"input_image": still(), "duration_seconds": 5}
    job_id = studio.client.post("/generate/video/v1", json=body).json()["job_id"]
    finished.assert_progress_rises(studio, job_id)


@pytest.mark.parametrize(
    ("fields", "code", "field"),
    [
        (
            {"model": "demo-camera", "last_image": "data:image/png;base64,AAAA"},
            "not_supported_by_model",
            "$.last_image",
        ),
        ({"model": "wan2.2-ti2v-5b", "last_image": "https://a.example/b"}, "not_supported_by_model", "$.last_image"),
        ({"input_image": None, "model": "demo-camera"}, "missing_field", "$.input_image"),
    ],
)
def test_what_the_model_cannot_do_is_refused_at_once(
    studio: Service, fields: dict[str, Any], code: str, field: str
) -> None:
    body = {name: value for name, value in ({"input_image": still()} | fields).items() if value is not None}
    answer = studio.client.post("/generate/video/v1", json=body)

    assert (422, code, field) == (answer.status_code, answer.json()["code"], answer.json()["field"])


@pytest.fixture
def page() -> Iterator[Any]:
    """A page of Chromium on a site of its own, as a shop's would be; it has no script and no style of anybody's."""
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("needs Chromium (Debian: apt install chromium)")
    from playwright.sync_api import sync_playwright

    site = ThreadingHTTPServer(("127.0.0.1", 0), _Page)
    threading.Thread(target=site.serve_forever, daemon=True).start()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=BROWSER)
        opened = browser.new_page()
        opened.goto(f"http://127.0.0.1:{site.server_port}/")
        yield opened
        browser.close()
    site.shutdown()
    site.server_close()


class _Page(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.end_headers()
        self.wfile.write(b"<!doctype html><title>shop</title><body></body>")

    def log_message(self, format: str, *args: Any) -> None:
        """The server does not read it."""


SEEK = """async ([url, time]) => {
    const video = Object.assign(document.createElement("video"), {muted: true, preload: "auto", src: url});
    document.body.append(video);
    const on = name => new Promise((resolve, reject) => {
        video.addEventListener(name, resolve, {once: true});
        video.addEventListener("error", () => reject(video.error.message), {once: true});
    });
    await on("loadeddata");
    const shown = new Promise(resolve => video.requestVideoFrameCallback((_, frame) => resolve(frame.mediaTime)));
    const seeked = on("seeked");
    video.currentTime = time;
    await seeked;
    return {
        time: video.currentTime, shown: await shown, duration: video.duration,
        width: video.videoWidth, height: video.videoHeight,
    };
}"""


@pytest.mark.long
@pytest.mark.parametrize("container", ["mp4", "webm"])
def test_it_seeks_in_chromium(studio: Service, page: Any, container: str) -> None:
    url = make(studio, width=320, height=192, duration_seconds=4, output_format=container)["result_url"]
    answers: list[tuple[int, str]] = []
    page.on("response", lambda response: answers.append((response.status, response.url)))

    seen = page.evaluate(SEEK, [url, 2.5])

    assert (320, 192) == (seen["width"], seen["height"])
    assert 4 == pytest.approx(seen["duration"], abs=0.05)
    assert 2.5 == seen["time"]
    assert 2.5 == pytest.approx(seen["shown"], abs=1 / 24)
    assert 206 in {status for status, _ in answers}, answers
