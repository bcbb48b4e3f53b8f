"""`openai` 7.59.0 of npm in node, unmodified: only its base URL and its key are ours.

`tests/support/deploy/node_openai/calls.mjs` has the calls; what they leave is decoded here. `test_families.py` has
edits and variations.
"""

import base64
import json
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from tests.acceptance.clients.test_openai import decoded, jobs_of
from tests.support.paths import PHOTO
from tests.support.servers.proxy import Proxy
from tests.support.service.openai_in_node import OpenAIInNode, result
from tests.support.service.service import Service

MODEL_NOT_FOUND = ["NotFoundError", 404, "model_not_found", "model"]


@pytest.fixture(scope="module")
def client(node: Path, tmp_path_factory: pytest.TempPathFactory) -> OpenAIInNode:
    return OpenAIInNode(node, tmp_path_factory.mktemp("openai"))


def frames(file: Path) -> tuple[int, tuple[int, int]]:
    """How many frames a film has, and their width and height."""
    with av.open(str(file)) as container:
        found = list(container.decode(video=0))
    return len(found), (found[0].width, found[0].height)


def image(file: Path) -> tuple[str | None, tuple[int, int]]:
    with Image.open(file) as opened:
        opened.load()
        return opened.format, opened.size


def test_images(client: OpenAIInNode, studio: Service, tmp_path: Path) -> None:
    said = client.run("images", studio.url, studio.key, tmp_path)
    assert (2, 0, "demo-shapes", True) == (said["count"], said["usage"], said["model"], said["id"])
    assert [("PNG", (128, 128))] * 3 == [image(tmp_path / f"{name}.png") for name in ("0", "1", "streamed")]
    assert ("WEBP", "image_generation.completed") == (image(tmp_path / "linked.webp")[0], said["last"])
    assert ["BadRequestError", 400, "out_of_range", "n"] == said["refused"]
    assert MODEL_NOT_FOUND == said["unknown"]
    assert ["AuthenticationError", 401, "invalid_api_key"] == said["stranger"][:3]


@pytest.mark.long
def test_speech_and_voices(
    client: OpenAIInNode, unpacked: Callable[[str], Path], studio: Service, tmp_path: Path
) -> None:
    unpacked("demo-whisper-tiny-en")
    said = client.run("speech", studio.url, studio.key, tmp_path)
    codecs = {"mp3": "mp3float", "opus": "opus", "aac": "aac", "flac": "flac", "wav": "pcm_s16le"}
    found = {name: decoded((tmp_path / f"speech.{name}").read_bytes()) for name in codecs}
    assert codecs == {name: codec for name, (codec, _) in found.items()}
    samples = np.frombuffer((tmp_path / "speech.pcm").read_bytes(), "<i2")
    assert {True} == {abs(seconds - len(samples) / 24_000) < 0.2 for _, seconds in found.values()}
    assert 1000 < np.abs(samples.astype(int)).max()
    pieces = [json.loads(line[6:]) for line in (tmp_path / "events.txt").read_text().splitlines() if line]
    assert "speech.audio.done" == pieces.pop()["type"]
    assert "pcm_s16le" == decoded(b"".join(base64.b64decode(piece["audio"]) for piece in pieces))[0]
    assert ("Anna", "audio.voice", True) == (said["voice"]["name"], said["voice"]["object"], said["deleted"])
    assert 404 == said["again"][1]
    assert "morning" in said["heard"].lower()


@pytest.mark.long
def test_videos(client: OpenAIInNode, studio: Service, tmp_path: Path) -> None:
    with Image.open(PHOTO) as photo:
        photo.resize((128, 96)).save(tmp_path / "small.jpg")  # texts of a form are short, and one is the picture itself
    said = client.run("videos", studio.url, studio.key, tmp_path, tmp_path / "small.jpg")
    assert ("queued", "completed", 100, "0.5", "sora-2") == (
        said["created"]["status"],
        *(said["video"][name] for name in ("status", "progress", "seconds", "model")),
    )
    assert [(12, (128, 96))] * 3 == [frames(tmp_path / name) for name in ("video", "animated", "linked")]
    assert ["WEBP", "WEBP"] == [image(tmp_path / name)[0] for name in ("thumbnail", "spritesheet")]
    assert (True, True) == (said["listed"], said["deleted"])
    assert [404, 400, 501] == [said[name][1] for name in ("gone", "named", "remixed")]


@pytest.mark.long
def test_models_and_texts(client: OpenAIInNode, studio: Service, tmp_path: Path) -> None:
    said = client.run("models", studio.url, studio.key, tmp_path)
    assert {"demo-shapes", "demo-espeak", "demo-scene"} <= set(said["models"])
    assert ("gpt-image-1", 405) == (said["alias"], said["kept"][1])
    assert [MODEL_NOT_FOUND] * 4 == [said[name] for name in ("unknown", "chat", "streamed", "response")]


@pytest.mark.long
def test_files_and_batches(client: OpenAIInNode, studio: Service, tmp_path: Path) -> None:
    said = client.run("batches", studio.url, studio.key, tmp_path)
    assert {"total": 3, "completed": 3, "failed": 0} == said["done"]["request_counts"]
    assert (["0", "1", "2"], ("PNG", (64, 64))) == (said["ids"], image(tmp_path / "line.png"))
    assert ("lines.jsonl", True, True, True) == tuple(said[name] for name in ("same", "pages", "batches", "deleted"))
    assert ("cancelled", 404) == (said["stopped"], said["gone"][1])


@pytest.mark.long
def test_a_repeat_of_the_client_makes_no_second_job(client: OpenAIInNode, studio: Service, tmp_path: Path) -> None:
    before = jobs_of(studio)
    with Proxy(int(studio.url.rpartition(":")[2])) as network:
        network.losing = True
        said = client.run("repeated", f"http://127.0.0.1:{network.port}", studio.key, tmp_path)
        assert not network.losing
    assert [said["id"].removeprefix("video_")] == [job.removeprefix("job_") for job in jobs_of(studio) - before]


@pytest.mark.long
def test_an_api_that_is_restarted_loses_nothing(client: OpenAIInNode, studio: Service, tmp_path: Path) -> None:
    program = client.start("restarted", studio.url, studio.key, tmp_path)
    assert program.stdout is not None
    assert "created\n" == program.stdout.readline()
    studio.restart_api()
    said = result(program)
    assert (["completed", "completed"], 2) == (said["status"], said["counts"]["completed"])
    assert (12, (128, 96)) == frames(tmp_path / "film")
    answers = [json.loads(line) for line in (tmp_path / "lines").read_text().splitlines()]
    images = [base64.b64decode(one["response"]["body"]["data"][0]["b64_json"]) for one in answers]
    assert [(64, 64)] * 2 == [Image.open(BytesIO(content)).size for content in images]
