"""Each kind is made in the browser, of the demo models, and seen in its viewer."""

from urllib.parse import urlencode

import pytest

from tests.console.conftest import excused
from tests.support.checkpoints.smollm2 import needs_smollm2
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
    """An output that others are made of."""
    body = {"prompt": "a red circle on a white background", "width": 256, "height": 256}
    answer = stack.client.post("/generate/image/v1?wait=200", json=body, timeout=250).json()
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


def test_a_text(open_page, stack):
    needs_smollm2()
    page = make(open_page, "text", "Make text", prompt="What is the capital of France?", temperature=0, max_tokens=20)
    page.locator(".result .words").wait_for(timeout=MADE_MS)
    text = page.locator(".result .words").inner_text()
    assert "Paris" in text
    (found,) = stack.client.get("/media/v1/search", params={"q": "capital"}).json()["items"]
    page = open_page(f"/library/{found['media_id']}")
    page.get_by_text(text).wait_for()


def moves(page, player):
    """Wait until a player has played something."""
    page.locator(player).evaluate(
        """async player => { while (player.currentTime === 0) await new Promise(requestAnimationFrame); }"""
    )
