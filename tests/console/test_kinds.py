"""Each kind is made in the browser, of the demo models, and seen in its viewer."""

import json
import re
from urllib.parse import urlencode

import pytest

from tests.console.conftest import excused
from tests.support.service.service import service

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]

MADE_MS = 300_000
"""How long the first job of a model may take on a busy machine: it is loaded, too."""
SLOW_DRAWING = "rAF timed out"
"""What model-viewer says where WebGL is computed by the CPU."""


@pytest.fixture(scope="module")
def stack(chromium, tmp_path_factory, postgres, valkey):
    """A service with the demo models."""
    settings = {"ATELIER_CATALOG": "", "ATELIER_LEASE_SECONDS": "30", "ATELIER_UPKEEP_SECONDS": "5"}
    folder = tmp_path_factory.mktemp("kinds")
    with postgres.fresh() as url, service(folder, database_url=url, broker_url=valkey, **settings) as made:
        made.api()
        made.cpu()
        made.gpu("gpu-1")
        yield made


@pytest.fixture(scope="module")
def picture(stack):
    """A picture that others are made of."""
    return output(stack, "image", prompt="a red circle on a white background", width=256, height=256)


@pytest.fixture(scope="module")
def recording(stack):
    """A recording that others are made of."""
    return output(stack, "speech", text="Please send the blue shoes to the warehouse on Monday.")


def output(stack, modality, **body):
    answer = stack.client.post(f"/generate/{modality}/v1?wait=200", json=body, timeout=250).json()
    assert "completed" == answer["status"]
    return f"output:{answer['job_id']}/0"


def make(open_page, path, button, **fields):
    page = open_page(f"/make/{path}?{urlencode(fields)}")
    page.get_by_role("button", name=button).click()
    return page


def test_a_picture(open_page):
    """In the size that the demo model makes by itself, so without a warning."""
    page = make(open_page, "image", "Make image", prompt="a green star on a black background")
    assert page.get_by_role("radio", name="256×256").is_checked()
    page.locator(".plate img").wait_for(timeout=MADE_MS)
    assert 256 == page.evaluate("document.querySelector('.plate img').naturalWidth")
    assert 0 == page.get_by_text("resized to").count()


def test_a_cutout_beside_its_original(open_page, picture):
    page = make(open_page, "remove-background", "Make cut-out", input_image=picture)
    page.locator(".compare img").nth(1).wait_for(timeout=MADE_MS)
    page.get_by_label("Before and after").fill("30")
    shown = page.locator(".compare img").nth(1).evaluate("image => getComputedStyle(image).clipPath")
    assert "inset(0px 70% 0px 0px)" == shown


def test_a_film(open_page, picture):
    page = make(open_page, "video", "Make video", input_image=picture, duration_seconds=0.5)
    page.locator(".plate video").wait_for(timeout=MADE_MS)
    page.locator(".plate video").evaluate("film => { film.muted = true; return film.play(); }")
    moves(page, ".plate video")
    page.locator(".film-strip").wait_for()


def test_a_film_of_two_shots(open_page):
    page = open_page("/make/storyboard?prompt=a+red+circle+on+white,")
    for place, prompt in ((1, "zoom in"), (2, "pan to the right")):
        page.get_by_role("group", name=f"Shot {place}").get_by_label("Prompt").fill(prompt)
        page.get_by_role("group", name=f"Shot {place}").get_by_label("Seconds").fill("0.5")
        if place == 1:
            page.get_by_role("button", name="Add a shot").click()
    page.get_by_label("Continues").check()
    page.get_by_role("button", name="Make storyboard").click()
    page.locator(".plate video").wait_for(timeout=MADE_MS)
    page.locator(".plate video").evaluate("film => { film.muted = true; return film.play(); }")
    moves(page, ".plate video")
    assert 1 == page.locator(".plate video").evaluate("film => film.duration")


def test_a_recording(open_page):
    page = make(open_page, "speech", "Make speech", text="Hello from the console.")
    page.locator(".plate audio").wait_for(timeout=MADE_MS)
    page.locator(".plate canvas").wait_for()
    page.locator(".plate audio").evaluate("sound => { sound.muted = true; return sound.play(); }")
    moves(page, ".plate audio")


def test_a_mesh_in_its_frame(open_page, picture, faults):
    with excused(faults, SLOW_DRAWING):
        page = make(open_page, "3d", "Make 3D", input_image=picture)
        page.locator("iframe[data-state=shown]").wait_for(timeout=MADE_MS)


def test_a_text(open_page, stack, unpacked):
    unpacked("demo-smollm2")
    page = make(open_page, "text", "Make text", prompt="What is the capital of France?", temperature=0, max_tokens=20)
    page.locator(".result .words").wait_for(timeout=MADE_MS)
    text = page.locator(".result .words").inner_text()
    assert "Paris" in text
    (found,) = stack.client.get("/media/v1/search", params={"q": "capital"}).json()["items"]
    page = open_page(f"/library/{found['media_id']}")
    page.get_by_text(text).wait_for()


def test_an_svg_beside_its_original(open_page, picture):
    page = make(open_page, "vectorize", "Make SVG", input_image=picture)
    page.locator(".compare img").nth(1).wait_for(timeout=MADE_MS)
    assert (256, 256) == size_of(page, ".compare img")


def test_a_larger_picture_beside_its_original(open_page, picture):
    page = make(open_page, "upscale", "Make upscale", input_image=picture, scale=2)
    page.locator(".compare img").nth(1).wait_for(timeout=MADE_MS)
    assert (512, 512) == size_of(page, ".compare img")


@pytest.mark.parametrize(("modality", "prompt"), [("sound", "rain and thunder"), ("music", "a happy tune")])
def test_a_sound_and_music(open_page, modality, prompt):
    page = make(open_page, modality, f"Make {modality}", prompt=prompt)
    page.locator(".plate audio").wait_for(timeout=MADE_MS)
    page.locator(".plate canvas").wait_for()
    page.locator(".plate audio").evaluate("sound => { sound.muted = true; return sound.play(); }")
    moves(page, ".plate audio")


def test_an_avatar_clip(open_page, picture, recording):
    page = make(open_page, "avatar", "Make avatar", input_image=picture, input_audio=recording)
    page.locator(".plate video").wait_for(timeout=MADE_MS)
    page.locator(".plate video").evaluate("film => { film.muted = true; return film.play(); }")
    moves(page, ".plate video")


@pytest.mark.parametrize(
    ("output_format", "words"),
    [("srt", r"1\n00:00:0\d,\d{3} --> 00:00:0\d,\d{3}\n"), ("json", '"task": ?"transcribe"'), ("txt", "^Please")],
    ids=["srt", "json", "txt"],
)
def test_a_transcript(open_page, recording, output_format, words, unpacked):
    """Subtitles and JSON as they are in the file: with their times."""
    unpacked("demo-whisper-tiny-en")
    page = make(open_page, "transcript", "Make transcript", input_audio=recording, output_format=output_format)
    page.locator(".result .words").wait_for(timeout=MADE_MS)
    text = page.locator(".result .words").inner_text()
    assert re.search(words, text)
    assert "blue shoes" in text


def test_vectors_of_a_text_a_line(open_page, unpacked):
    unpacked("demo-minilm")
    page = open_page("/make/embedding")
    page.get_by_label("Texts", exact=True).fill("red running shoes, size 42\nthe annual report")
    page.get_by_role("button", name="Make vectors").click()
    page.locator(".result .words").wait_for(timeout=MADE_MS)
    made = json.loads(page.locator(".result .words").inner_text())
    assert (384, 2) == (made["dimensions"], len(made["vectors"]))
    assert 0 == page.get_by_label("Image").count()  # this model sees none


def size_of(page, picture):
    page.wait_for_function(f"document.querySelector('{picture}').complete")
    shown = page.locator(picture).first
    return tuple(shown.evaluate(f"image => image.{side}") for side in ("naturalWidth", "naturalHeight"))


def moves(page, player):
    """Wait until a player has played something."""
    page.locator(player).evaluate(
        """async player => { while (player.currentTime === 0) await new Promise(requestAnimationFrame); }"""
    )
