"""Storyboards through real processes: shots become one film, with one status, one webhook and one price."""

import json
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image
from standardwebhooks import Webhook

from atelier_client import ApiError, AsyncAtelier, Atelier, ChainCancelled, ChainFailed, JobTimeout
from cli.main import atelier
from core.signing import webhook_secret
from jobs.params.video import VideoParams
from pipelines.runtime.protocol import RawOutput
from pipelines.video.encode import encode
from tests.support.media import recordings
from tests.support.media.videos import DecodedVideo, decode_video, psnr
from tests.support.servers.webhook_receiver import WebhookReceiver
from tests.support.service import finished
from tests.support.service.agents import agent, call
from tests.support.service.service import Service, paused
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


@pytest.mark.long
def test_shots_become_one_film(studio: Service, sink: WebhookReceiver) -> None:
    estimate = studio.client.post("/storyboards/v1/estimate", json=STORY).json()
    assert STEPS == [step["name"] for step in estimate["steps"]]
    alone = sum(step["estimate"]["run"]["p50_seconds"] for step in estimate["steps"])
    assert estimate["total"]["p50_seconds"] >= round(alone, 3)

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


@pytest.mark.long
def test_a_joined_film_has_the_sound_of_its_films(studio: Service, tmp_path: Path) -> None:
    """The second one has none: there is silence, and the sound of the third one stays in step."""
    films = []
    for tone in (440, 0, 1200):
        sound = {"sound": recordings.hum(tone, 1.0)} if tone else {}
        raw = RawOutput(arrays={"frames": np.full((12, 96, 96), 128, np.uint8), **sound}, metadata={"fps": 12})
        (output,) = encode(raw, VideoParams(), tmp_path).files
        file = (tmp_path / output.path).read_bytes()
        films.append(studio.client.post("/inputs/v1", files={"file": file}).json()["input_id"])
    made = finished.download(finished.make(studio, "join", films=films)["result_url"])
    with av.open(BytesIO(made)) as container:
        heard = np.concatenate([frame.to_ndarray()[0] for frame in container.decode(audio=0)])
    for number, tone in enumerate((440, 0, 1200)):
        spectrum = np.abs(np.fft.rfft(heard[number * 48_000 + 4_800 : (number + 1) * 48_000 - 4_800]))
        assert tone == pytest.approx(np.argmax(spectrum) / 0.8, abs=2) if tone else spectrum.max() < 100


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


@pytest.fixture
def run(studio: Service, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """A function that runs `atelier` in a folder of the test's own, as its user."""
    monkeypatch.setenv("ATELIER_URL", studio.url)
    monkeypatch.setenv("ATELIER_API_KEY", studio.key)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)

    def invoke(*words: str, status: int = 0, typed: str | None = None) -> Result:
        outcome = CliRunner().invoke(atelier, words, input=typed)
        assert status == outcome.exit_code, outcome.output
        return outcome

    return invoke


TWO = {"model": "demo-camera", "shots": [{"prompt": "zoom in", "duration_seconds": 0.5, "image": "star.png"}]} | SMALL


def drawn(folder: Path) -> Path:
    """A local picture."""
    file = folder / "star.png"
    Image.new("RGB", (192, 128), "green").save(file)
    return file


@pytest.mark.long
def test_the_command_line_makes_a_film_of_a_file(studio: Service, run: Any, tmp_path: Path) -> None:
    drawn(tmp_path)
    Path("story.json").write_text(json.dumps(TWO))
    made = run("storyboards", "create", "story.json", "-o", "story.webm", "--json")
    chain = json.loads(made.stdout)
    assert ("completed", 12) == (chain["status"], len(decode_video(Path("story.webm").read_bytes(), "webm").frames))
    assert "story.webm" in made.stderr
    chain_id = run("storyboards", "create", "-", "--no-wait", typed=json.dumps(TWO)).stdout.strip()
    assert chain_id in run("chains", "show", chain_id).output
    assert "completed" == ended(studio, {"chain_id": chain_id})["status"]


def test_the_command_line_says_what_is_wrong_with_a_storyboard(studio: Service, run: Any) -> None:
    Path("story.json").write_text("[]")
    Path("broken.json").write_text(json.dumps({"shots": [{"prompt": "", "duration_seconds": 0.5}]}))
    Path("lost.json").write_text(json.dumps(TWO))
    for words, status, reason in (
        (["story.json", "-o", "a.mp4"], 1, "one object of JSON with `shots`"),
        (["broken.json", "-o", "a.mp4"], 1, "prompt"),
        (["lost.json", "-o", "a.mp4"], 1, "star.png"),
        (["lost.json"], 2, "Missing option '-o'"),
        (["lost.json", "-o", "a.gif"], 2, "use one of the extensions"),
        (["lost.json", "--no-wait", "--timeout", "3s"], 2, "leave out --timeout"),
    ):
        assert reason in run("storyboards", "create", *words, status=status).output
    assert not Path("a.mp4").exists()


@pytest.mark.long
async def test_the_sdk_makes_a_film_and_says_why_not(studio: Service, tmp_path: Path) -> None:
    shots = [{"prompt": "zoom in", "duration_seconds": 0.5, "image": drawn(tmp_path)}]
    asked = {"model": "demo-camera"} | SMALL
    seen = []
    with Atelier(studio.url, studio.key) as client:
        estimate = client.estimate_storyboard(shots, **asked)
        assert ["shot-1", "film"][: len(estimate.steps)] == [step.name for step in estimate.steps]
        chain = client.storyboard(shots, on_progress=seen.append, timeout=120, **asked)
        assert ("completed", "completed") == (chain.status, seen[-1].status)
        assert 12 == len(film(chain.outputs[0].url).frames)
        with pytest.raises(ApiError):
            client.submit_storyboard([], **asked)
        with paused(studio):
            waiting = client.submit_storyboard(shots, **asked)
            with pytest.raises(JobTimeout, match=waiting.chain_id):
                client.wait_chain(waiting.chain_id, timeout=0.2)
            client.cancel_chain(waiting.chain_id)
    async with AsyncAtelier(studio.url, studio.key) as other:
        with pytest.raises(ChainCancelled):
            await other.wait_chain(waiting.chain_id, timeout=60)
        lost = [shots[0] | {"image": f"{studio.url}/nothing.png"}]
        with pytest.raises(ChainFailed, match="shot-1"):
            await other.storyboard(lost, timeout=60, **asked)
