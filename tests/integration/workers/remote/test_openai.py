"""One job at a backend that speaks OpenAI's protocol: what is asked, what is taken, and what each refusal means."""

import asyncio
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from core.settings import Settings
from jobs.params.image import ImageParams
from jobs.params.speech import SpeechParams
from pipelines.catalog.backends import Backend, ModelBackend
from tests.support.checkpoints.specs import spec
from tests.support.gpu_worker.fakes import make_job
from tests.support.servers.openai_backend import KEY, OpenAIBackend, png
from workers.remote.connection import BackendConnection
from workers.remote.openai import OpenAIJob, offered
from workers.remote.outcomes import RemoteAway, RemoteFiles, RemoteRefused, RemoteRequest


@pytest.fixture
def server() -> Iterator[OpenAIBackend]:
    with OpenAIBackend() as running:
        yield running


def request(server: OpenAIBackend, folder: Path, **changes: Any) -> RemoteRequest:
    facts: dict[str, Any] = {
        "job": make_job(seed=7),
        "spec": spec(),
        "backend": Backend(name="partner", kind="openai", url=server.url, max_output_bytes=50_000),
        "place": ModelBackend(name="partner", model="picture-maker", sends=("seed",)),
        "params": ImageParams(prompt="a red circle", num_images=2),
        "size": (64, 32),
        "inputs": {},
        "folder": folder / "remote",
    }
    return RemoteRequest(**facts | changes)


def made(asked: RemoteRequest, key: str = KEY) -> RemoteFiles:
    async def make() -> RemoteFiles:
        async with BackendConnection(Settings(), asked.backend, key) as connection:
            return await OpenAIJob(connection, asked, lambda fraction: None).make()

    return asyncio.run(make())


def away(asked: RemoteRequest, key: str = KEY) -> tuple[str, bool, float]:
    with pytest.raises(RemoteAway) as raised:
        made(asked, key)
    return raised.value.problem, raised.value.may_have_computed, raised.value.retry_after


def test_pictures_are_asked_for_in_its_words(server: OpenAIBackend, tmp_path: Path) -> None:
    files = made(request(server, tmp_path)).files
    assert [(64, 32)] * 2 == [Image.open(io.BytesIO(file.read_bytes())).size for file in files]
    expected = {"model": "picture-maker", "prompt": "a red circle", "n": 2, "size": "64x32", "seed": 7}
    assert [("/v1/images/generations", {**expected, "response_format": "b64_json"})] == server.requests


def test_a_picture_to_start_from_goes_along(server: OpenAIBackend, tmp_path: Path) -> None:
    picture = tmp_path / "input_image.png"
    picture.write_bytes(png(8, 8))
    params = ImageParams(prompt="in green", input_image="https://one.example/a.png")
    server.refusals.append((200, {"data": [{"b64_json": "AAAA"}]}))
    made(request(server, tmp_path, params=params, inputs={"input_image": picture}))
    ((path, body),) = server.requests
    assert "/v1/images/edits" == path
    assert picture.read_bytes() in body
    assert b'name="image[]"' in body


def test_speech_is_its_bytes(server: OpenAIBackend, tmp_path: Path) -> None:
    place = ModelBackend(name="partner", model="speaker", voice="verse")
    asked = request(server, tmp_path, params=SpeechParams(text="Good morning."), place=place, size=None)
    assert server.sound == made(asked).files[0].read_bytes()
    ((path, body),) = server.requests
    assert ("/v1/audio/speech", "verse", "wav") == (path, body["voice"], body["response_format"])


@pytest.mark.parametrize(
    ("status", "found"),
    [
        (401, ("unauthorized", False, 0.0)),
        (404, ("not_found", False, 0.0)),
        (429, ("rate_limited", False, 0.0)),
        (500, ("failed", True, 0.0)),
        (503, ("unavailable", False, 0.0)),
    ],
)
def test_what_is_not_the_jobs_fault(
    server: OpenAIBackend, tmp_path: Path, status: int, found: tuple[str, bool, float]
) -> None:
    server.refusals.append((status, {"error": {"message": "no"}}))
    assert found == away(request(server, tmp_path))


def test_a_refusal_is_shown_without_the_key(server: OpenAIBackend, tmp_path: Path) -> None:
    server.refusals.append((400, {"error": {"message": f"Your prompt\nis refused, {KEY}."}}))
    with pytest.raises(RemoteRefused) as raised:
        made(request(server, tmp_path))
    assert "Your prompt is refused, ...." == raised.value.detail


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"data": []},
        {"data": [{"url": "http://169.254.169.254/a.png"}] * 2},
        {"data": [{"b64_json": "%%%"}] * 2},
        {"data": [{"b64_json": "A" * 80_000}] * 2},
    ],
)
def test_an_answer_without_its_pictures_is_no_answer(
    server: OpenAIBackend, tmp_path: Path, answer: dict[str, Any]
) -> None:
    server.refusals.append((200, answer))
    assert ("bad_answer", True, 0.0) == away(request(server, tmp_path))


def test_an_answer_that_does_not_end_is_cut_off(server: OpenAIBackend, tmp_path: Path) -> None:
    server.sound = bytes(60_000)
    asked = request(server, tmp_path, params=SpeechParams(text="Good morning."), size=None)
    assert ("bad_answer", True, 0.0) == away(asked)


def test_a_server_that_is_gone_is_away(tmp_path: Path) -> None:
    with OpenAIBackend() as server:
        asked = request(server, tmp_path)
    assert ("unreachable", False, 0.0) == away(asked)


def test_its_list_says_which_models_it_has(server: OpenAIBackend, tmp_path: Path) -> None:
    async def look(key: str) -> set[str]:
        async with BackendConnection(Settings(), request(server, tmp_path).backend, key) as connection:
            return await offered(connection, {"picture-maker", "other"})

    assert {"picture-maker"} == asyncio.run(look(KEY))
    server.models = []
    assert {"picture-maker", "other"} == asyncio.run(look(KEY))
    with pytest.raises(RemoteAway, match="unauthorized"):
        asyncio.run(look("sk-wrong"))
