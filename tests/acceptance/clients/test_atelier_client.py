"""The Python SDK against the running service: the program of its README, local files, the asynchronous client."""

import os
import re
import subprocess
import sys

import pytest
from PIL import Image

from atelier_client import ApiError, AsyncAtelier, Atelier
from tests.support.paths import ROOT
from tests.support.service.service import Service

README = ROOT / "sdk/python/README.md"


@pytest.fixture
def atelier(studio: Service):
    with Atelier(studio.url, studio.key) as client:
        yield client


@pytest.mark.contract("F38")
def test_the_program_of_the_readme_makes_a_picture(studio, tmp_path):
    program = re.search(r"```python\n(.*?)```", README.read_text(), re.DOTALL)[1]
    environment = os.environ | {"ATELIER_URL": studio.url, "ATELIER_API_KEY": studio.key}
    outcome = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120
    )
    assert 0 == outcome.returncode, outcome.stderr
    assert "completed" in outcome.stdout.splitlines()[-1]
    assert "WEBP" == Image.open(tmp_path / "circle.webp").format


@pytest.mark.long
def test_a_local_file_is_cut_out(atelier, tmp_path):
    Image.new("RGB", (96, 64), "white").save(tmp_path / "photo.png")
    job = atelier.remove_background(image_url=tmp_path / "photo.png", timeout=120)
    cutout = Image.open(atelier.download(job.outputs[0], tmp_path / "cutout.png"))
    assert ("RGBA", (96, 64)) == (cutout.mode, cutout.size)


@pytest.mark.long
async def test_the_asynchronous_client_makes_a_picture(studio, tmp_path):
    async with AsyncAtelier(studio.url, studio.key) as atelier:
        accepted = await atelier.submit("image", prompt="a blue star", seed=3, width=64, height=64)
        statuses = [event.status async for event in atelier.subscribe(accepted.job_id, timeout=120)]
        job = await atelier.job(accepted.job_id)
        picture = Image.open(await atelier.download(job.outputs[0], tmp_path / "star.webp"))
    assert ("completed", 3, "WEBP") == (statuses[-1], job.seed, picture.format)


def test_a_refusal_names_the_field(atelier):
    with pytest.raises(ApiError) as refusal:
        atelier.submit("image", prompt="a", width=7)
    assert (422, "out_of_range", "$.width") == (refusal.value.status, refusal.value.code, refusal.value.field)
