"""The page of the demo, from results and the files beside it."""

import base64
import hashlib
import re

import pytest

from cli.demo.page import write_page
from cli.demo.run import DemoResult

PROMPT = """<script>alert("it's")</script>"""


def result(file: str | None = None, status: str = "completed", **facts: object) -> DemoResult:
    return DemoResult(
        title="A & B", modality="image", status=status, prompt="", sources=[], file=file, command="atelier", **facts
    )


@pytest.fixture
def written(tmp_path):
    """The text of the page of some results."""
    return lambda *results: write_page(tmp_path, results, 83.0).read_text()


def test_texts_of_others_are_escaped(written, tmp_path):
    (tmp_path / "a.md").write_text(PROMPT)
    text = written(
        DemoResult(
            title=PROMPT, modality="text", status="completed", prompt=PROMPT, sources=[PROMPT], file="a.md",
            model=PROMPT, command=PROMPT, warnings=[PROMPT],
        ),
        result(status="failed", error=PROMPT),
    )  # fmt: skip
    assert "<script" not in text
    assert 9 == text.count("&lt;script&gt;")


def test_the_policy_allows_its_own_style_and_files_alone(written):
    text = written(result("a.webp"))
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', text)
    (style,) = re.findall(r"<style>(.*)</style>", text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert policy.startswith("default-src &#x27;none&#x27;;")
    assert policy.endswith(f"style-src &#x27;sha256-{digest}&#x27;")
    assert "style=" not in text
    assert "://" not in text


@pytest.mark.parametrize(
    ("file", "element"),
    [("a.svg", "<img"), ("a.mp4", "<video"), ("a.mp3", "<audio"), ("a b.glb", '<a href="a%20b.glb"')],
)
def test_a_file_is_shown_as_what_it_is(written, file, element):
    assert element in written(result(file))


def test_a_mesh_and_a_sound_have_their_pictures(written):
    text = written(result("a.glb", preview="a-glb.png"), result("a.wav", preview="a-wav.png"))
    assert 'src="a-glb.png" alt="A &amp; B, as a picture"' in text
    assert 'src="a-wav.png"' in text


def test_what_was_not_made_says_why(written):
    text = written(result(status="failed", error="no room"), result(status="left out", error="no model"))
    assert "made 0 of 2 on this machine in 1 min 23 s" in text
    assert "Failed: no room" in text
    assert "Left out: no model" in text
