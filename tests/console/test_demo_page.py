"""The page of `atelier demo`, opened as a file: what it shows loads, and axe finds nothing."""

import wave

import av
import numpy as np
import pytest
from PIL import Image

from cli.demo.page import write_page
from cli.demo.run import DemoResult
from tests.console.conftest import LOOKS, look, report

pytestmark = pytest.mark.long

FILES = ("a.webp", "a.png", "a.svg", "a.mp4", "a.wav", "a.md", "a.glb")


@pytest.fixture(scope="module")
def page_file(tmp_path_factory):
    """A page with one file of each kind, one job that failed and one that was left out."""
    out = tmp_path_factory.mktemp("demo")
    for name in ("a.webp", "a.png", "a-glb.png"):
        Image.new("RGBA", (64, 48), (200, 30, 30, 128)).save(out / name)
    (out / "a.svg").write_text('<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 4 3"><path d="M0 0h4v3z"/></svg>')
    with av.open(str(out / "a.mp4"), "w") as film:
        stream = film.add_stream("libx264", rate=8, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        frame = av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8))
        film.mux([*stream.encode(frame), *stream.encode()])
    with wave.open(str(out / "a.wav"), "wb") as sound:
        sound.setparams((1, 2, 8000, 0, "NONE", "none"))
        sound.writeframes(bytes(8000))
    (out / "a.md").write_text("# A mug\n" + "word " * 400)
    (out / "a.glb").write_bytes(b"glTF")
    results = [
        DemoResult(
            title=f"Made {name}", modality="image", status="completed", prompt="a long prompt " * 9,
            sources=["a.png", "product.jpg"], file=name, preview="a-glb.png" if name == "a.glb" else None,
            model="demo-shapes", seconds=2.0, command=f"atelier generate image {'x' * 300}", warnings=["resized"],
        )
        for name in FILES
    ]  # fmt: skip
    facts = {"modality": "image", "prompt": "", "sources": [], "command": "atelier generate image"}
    results.append(DemoResult(title="Broken", status="failed", error="no room " * 20, **facts))
    results.append(DemoResult(title="Not here", status="left out", error="no model", **facts))
    return write_page(out, results, 83.0)


@pytest.mark.parametrize(("width", "scheme"), LOOKS)
def test_the_page_loads_and_can_be_read_by_all(chromium, violations, faults, page_file, width, scheme):
    context = chromium.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page = context.new_page()
    report(page, page_file.parent.as_uri(), faults)
    page.goto(page_file.as_uri())
    page.locator("summary").first.click()
    page.wait_for_function(
        "[...document.images].every(one => one.naturalWidth)"
        " && [...document.querySelectorAll('video, audio')].every(one => one.readyState > 0)"
    )
    look(page, "demo", width, scheme, violations)
    context.close()
