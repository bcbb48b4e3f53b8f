"""The source document's own samples; only the host, the key and the pictures are changed."""

import json
import os
import shutil
import subprocess
import sys
from io import BytesIO
from pathlib import Path

import httpx
import pytest
from PIL import Image

from tests.support.service.service import Service
from tests.support.wait import until

SAMPLES = Path(__file__).with_name("samples")
HOST = "https://api.imagepipeline.io"


def sample(name: str, studio: Service) -> str:
    """The text of a sample, with our host."""
    text = (SAMPLES / name).read_text()
    assert HOST in text
    return text.replace(HOST, studio.url)


def output_of(command: list[str], studio: Service, cwd: Path) -> str:
    """What a sample prints."""
    environment = os.environ | {"IMAGEPIPELINE_API_KEY": studio.key}
    done = subprocess.run(command, env=environment, cwd=cwd, capture_output=True, text=True, timeout=60, check=False)
    assert 0 == done.returncode, done.stderr
    return done.stdout


JAVA = """\
import java.net.URI;
import java.net.http.*;
import java.net.http.HttpResponse.BodyHandlers;

class Sample {{
  public static void main(String[] args) throws Exception {{
    HttpClient client = HttpClient.newHttpClient();
{sample}
    System.out.println(res.body());
  }}
}}
"""
"""What the document's Java sample leaves out: imports, a class, a client with its defaults, and printing the answer."""


def poll(job_id: str, studio: Service) -> dict[str, object]:
    """Poll the status route as the document says, until the job is completed."""

    def completed() -> dict[str, object] | None:
        status = studio.client.get(f"/generate/image/v1/status/{job_id}").json()
        assert status["status"] not in ("failed", "cancelled"), status
        return status if status["status"] == "completed" else None

    return until(completed, 60, "the sample's job")


def check(job_id: str, studio: Service) -> None:
    """The status answer has the document's fields, and its `result_url` is the picture."""
    status = poll(job_id, studio)
    assert {"job_id", "status", "result_url", "processing_time_seconds", "balance_remaining_usd"} <= status.keys()
    assert job_id == status["job_id"]
    picture = httpx.get(str(status["result_url"]), follow_redirects=True)
    image = Image.open(BytesIO(picture.content))
    assert ("WEBP", (1024, 1024), "image/webp") == (image.format, image.size, picture.headers["content-type"])


@pytest.mark.contract("C1", "C2", "C3", "C7", "C8", "C9", "C10", "C12", "C13")
def test_python(studio: Service, tmp_path: Path) -> None:
    program = f"API_KEY = {studio.key!r}\n{sample('image.py.txt', studio)}\nprint(job_id)\n"
    check(output_of([sys.executable, "-c", program], studio, tmp_path).strip(), studio)


def test_javascript(studio: Service, tmp_path: Path, node: Path) -> None:
    (tmp_path / "sample.mjs").write_text(sample("image.mjs", studio) + "console.log(job_id);\n")
    check(output_of([str(node), "sample.mjs"], studio, tmp_path).strip(), studio)


@pytest.mark.long
def test_javascript_of_the_other_calls(studio: Service, tmp_path: Path, node: Path) -> None:
    """Each submits what it says; the jobs themselves are other tests'."""
    asked = {
        "video": {"width": 896, "duration_seconds": 2.0},
        "speech": {"exaggeration": 0.5},
        "3d": {"mode": "generate"},
    }
    pictures = ("https://.../still.webp", "https://.../object.webp")
    text = "".join(f"{{\n{sample(f'{name}.mjs', studio)}console.log(job_id);\n}}\n" for name in asked)
    for picture in pictures:
        assert picture in text
        text = text.replace(picture, "https://shop.example/still.webp")
    (tmp_path / "samples.mjs").write_text(text)
    printed = output_of([str(node), "samples.mjs"], studio, tmp_path).split()
    for (modality, fields), job_id in zip(asked.items(), printed, strict=True):
        job = studio.client.get(f"/jobs/v1/{job_id}/request").json()
        assert (modality, fields) == (job["modality"], {name: job["params"][name] for name in fields})
        studio.client.delete(f"/jobs/v1/{job_id}")


def test_curl(studio: Service, tmp_path: Path) -> None:
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    printed = output_of(["sh", "-c", sample("image.sh", studio)], studio, tmp_path)
    check(json.loads(printed)["job_id"], studio)


@pytest.mark.long
def test_java(studio: Service, tmp_path: Path) -> None:
    if shutil.which("javac") is None:
        pytest.skip("no JDK is installed")
    (tmp_path / "Sample.java").write_text(JAVA.format(sample=sample("image.java.txt", studio)))
    printed = output_of(["java", "-XX:TieredStopAtLevel=1", "Sample.java"], studio, tmp_path)
    check(json.loads(printed)["job_id"], studio)
