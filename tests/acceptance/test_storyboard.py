"""Storyboards through real processes: shots become one film, with one status, one webhook and one price."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from standardwebhooks import Webhook

from core.signing import webhook_secret
from tests.support.media.videos import DecodedVideo, decode_video, psnr
from tests.support.servers.webhook_receiver import WebhookReceiver
from tests.support.service import finished
from tests.support.service.agents import agent, call
from tests.support.service.service import Service
from tests.support.wait import until

SMALL = {"width": 192, "height": 128}
SHOTS = [
    {"prompt": "zoom in", "duration_seconds": 0.5},
    {"prompt": "pan to the right", "duration_seconds": 0.75, "continues": True},
    {"prompt": "zoom out", "duration_seconds": 0.5},
]
STORY = {
    "prompt": "a red circle on white,",
    "model": "demo-camera",
    "image_model": "demo-shapes",
    "shots": SHOTS,
} | SMALL
STEPS = ["picture-1", "shot-1", "shot-2", "picture-3", "shot-3", "film"]


@pytest.fixture
def sink() -> Iterator[WebhookReceiver]:
    with WebhookReceiver() as made:
        yield made


def film(url: str) -> DecodedVideo:
    return decode_video(finished.download(url), "mp4")


def ended(studio: Service, chain: dict[str, Any]) -> dict[str, Any]:
    def look() -> dict[str, Any] | None:
        shown: dict[str, Any] = studio.client.get(f"/chains/v1/{chain['chain_id']}").json()
        return shown if shown["finished_at"] else None

    return until(look, 120, "the end of the chain")


@pytest.mark.contract("B55")
def test_shots_become_one_film(studio: Service, sink: WebhookReceiver) -> None:
    estimate = studio.client.post("/storyboards/v1/estimate", json=STORY).json()
    assert STEPS == [step["name"] for step in estimate["steps"]]
    assert estimate["total"]["p50_seconds"] >= sum(step["estimate"]["run"]["p50_seconds"] for step in estimate["steps"])

    answer = studio.client.post("/storyboards/v1", json=STORY | {"callback_url": f"{sink.url}/done"})
    assert 202 == answer.status_code, answer.text
    shown = ended(studio, answer.json())

    assert ("completed", STEPS) == (shown["status"], [step["name"] for step in shown["steps"]])
    assert ["demo-camera makes one shot from its first frame: 3 shots are a chain of 6 jobs"] == shown["warnings"]
    assert estimate["price_usd"] == shown["price_usd"]
    shots = [film(step["job"]["result_url"]).frames for step in shown["steps"] if step["name"].startswith("shot")]
    joined = film(shown["result_url"])
    assert ([12, 18, 12], 24) == ([len(frames) for frames in shots], joined.fps)
    assert (42, 128, 192, 3) == joined.frames.shape
    assert min(psnr(*pair) for pair in zip(np.concatenate(shots), joined.frames, strict=True)) > 34
    assert psnr(joined.frames[11], joined.frames[12]) > 34, "the second shot begins where the first one ends"
    assert psnr(joined.frames[0], joined.frames[11]) < 30, "and the camera has moved until then"
    (received,) = until(lambda: list(sink.received), 60, "the webhook")
    secret = webhook_secret(studio.settings.secret_key, studio.tenant, 1)
    assert shown == Webhook(secret).verify(received.body, received.headers)["data"]


@pytest.mark.contract("B55", "B56")
async def test_an_agent_asks_for_shots_or_for_a_single_one(studio: Service) -> None:
    asked = {"model": "demo-scene", "prompt": "a green star on black", "aspect_ratio": "16:9", "resolution": "480p"}
    shots = [{"prompt": "zoom in", "duration": "0.5s"}, {"prompt": "zoom out", "duration": 0.5}]
    async with agent(studio.url, studio.key) as client:
        estimate = await call(client, "get_generation_estimate", model="demo-scene", parameters={"shots": shots})
        assert estimate["estimated_time_seconds"] > 0
        started = await call(client, "generate_media", **asked, shots=shots, multi_shots=True)
        single = await call(client, "generate_media", **asked, duration="0.5s", multi_shots=False)
        assert ("chn_", "job_") == (started["generation_id"][:4], single["generation_id"][:4])
        frames = []
        for generation in (started, single):
            shown = {"status": "queued"}
            while shown["status"] in ("pending", "queued", "processing"):
                shown = await call(client, "get_generation_status", generation_id=generation["generation_id"], wait=20)
            assert "completed" == shown["status"], shown
            (output,) = shown["outputs"]
            frames.append(len(film(output["url"]).frames))
        assert [24, 12] == frames
        refused = await client.call_tool("generate_media", {**asked, "shots": shots, "multi_shots": False})
        assert refused.is_error


@pytest.mark.contract("B47")
def test_films_are_inputs_wherever_they_are(studio: Service) -> None:
    asked = {"model": "demo-scene", "prompt": "a green star on black, zoom in", "duration_seconds": 0.5}
    made = finished.make(studio, "video", **asked, **SMALL)
    upload = studio.client.post("/inputs/v1", files={"file": finished.download(made["result_url"])}).json()
    items = studio.client.get("/media/v1", params={"kind": "video"}).json()["media"]
    (item,) = (one["media_id"] for one in items if one["job_id"] == made["job_id"])
    films = [upload["input_id"], item, f"output:{made['job_id']}/0"]
    assert ["inp_", "med_", "outp"] == [film[:4] for film in films]
    status = finished.make(studio, "join", films=films, output_format="webm")
    joined = decode_video(finished.download(status["result_url"]), "webm")
    assert (36, 24.0, "film-join") == (len(joined.frames), joined.fps, status["model"])
    first = film(made["result_url"]).frames
    assert min(psnr(first[place % 12], frame) for place, frame in enumerate(joined.frames)) > 30
