"""Chatterbox from API to download, in three layouts of tiny random checkpoints, and the watermark in every format."""

import base64
import statistics
from collections.abc import Iterator
from importlib import import_module
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from jobs.job import JobStatus
from jobs.params.speech import LEAST_TOKENS
from pipelines.speech.chatterbox.layouts import LAYOUTS as PUBLISHED
from pipelines.speech.watermark import detect_watermark
from tests.support.checkpoints import tiny_chatterbox
from tests.support.checkpoints.tiny_chatterbox import save_voice
from tests.support.media.recordings import sound as sound_file
from tests.support.servers.databases import Databases
from tests.support.service import finished
from tests.support.service.finished import download
from tests.support.service.model_service import model_service
from tests.support.service.service import Service

TEXT = "Good morning. Your order has left our workshop."
LAYOUTS = ("turbo", "english", "multilingual")
LEAST = {layout.name: layout.min_seconds for layout in PUBLISHED}
ENTRY = """
[[model]]
id = "{name}"
title = "{name}"
family = "tests.support.checkpoints.tiny_chatterbox:TinyChatterbox"
modality = "speech"
source = {{ path = "{name}" }}
licence = {{ name = "MIT", url = "https://opensource.org/license/mit" }}
capabilities = ["reference-voice"]
limits = {{ min_voice_seconds = {least} }}
"""


@pytest.fixture(scope="module")
def speakers(
    postgres: Databases, valkey: str, tmp_path_factory: pytest.TempPathFactory, full: bool
) -> Iterator[Service]:
    """A service with one GPU worker on the CPU that serves the layouts of this run."""
    folder = tmp_path_factory.mktemp("speakers")
    layouts = LAYOUTS if full else LAYOUTS[:1]
    for name in layouts:
        tiny_chatterbox.save(name, folder / "weights" / name)
    catalog = "".join(ENTRY.format(name=name, least=LEAST[name]) for name in layouts)
    with model_service(
        folder, catalog, folder / "weights", server_id="speakers", postgres=postgres, broker_url=valkey
    ) as made:
        yield made


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Two voices, as data: URLs."""
    folder = tmp_path_factory.mktemp("people")
    files = [save_voice(folder / "low.wav", 6, 110), save_voice(folder / "high.wav", 6, 240)]
    return [f"data:audio/wav;base64,{base64.b64encode(file.read_bytes()).decode()}" for file in files]


def submit(at: Service, **fields: Any) -> str:
    answer = at.client.post("/generate/speech/v1", json={"text": TEXT, "seed": 1, **fields})
    assert 202 == answer.status_code, answer.text
    return str(answer.json()["job_id"])


def completed(at: Service, job_id: str) -> dict[str, Any]:
    """The status answer of a job, once it is completed."""
    job = at.ended(job_id, 180)
    assert JobStatus.COMPLETED == job.status, job.error
    status: dict[str, Any] = at.client.get(f"/generate/speech/v1/status/{job_id}").json()
    return status


def failed(at: Service, job_id: str) -> dict[str, Any]:
    job = at.ended(job_id, 180)
    assert JobStatus.FAILED == job.status
    status: dict[str, Any] = at.client.get(f"/generate/speech/v1/status/{job_id}").json()
    return status


def sound(status: dict[str, Any]) -> tuple[np.ndarray, int]:
    return soundfile.read(BytesIO(download(status["result_url"])), dtype="float32")  # type: ignore[no-any-return]


@pytest.mark.matrix
@pytest.mark.contract("C39")
@pytest.mark.parametrize("output_format", ["wav", "mp3", "ogg"])
def test_the_watermark_survives_every_format(studio: Service, output_format: str) -> None:
    marked = completed(studio, submit(studio, output_format=output_format))
    plain = completed(studio, submit(studio, output_format=output_format, apply_watermark=False))

    assert detect_watermark(*sound(marked)) > 0.5
    assert detect_watermark(*sound(plain)) < 0.5


@pytest.mark.parametrize(
    "model",
    [pytest.param("english", marks=pytest.mark.long), pytest.param("multilingual", marks=pytest.mark.long), "turbo"],
)
class TestChatterbox:
    @pytest.mark.long
    def test_max_new_tokens_bounds_the_sound(self, speakers: Service, model: str) -> None:
        status = completed(speakers, submit(speakers, model=model, max_new_tokens=25))

        samples, rate = sound(status)
        assert 24_000 == rate
        assert 0 < len(samples) / rate <= 1
        assert detect_watermark(samples, rate) > 0.5

    @pytest.mark.contract("C36", "C38")
    def test_each_of_two_at_once_sounds_as_if_alone(self, speakers: Service, model: str, people: list[str]) -> None:
        requests = [
            {"target_voice_path": voice, "max_new_tokens": 15, "exaggeration": mood, "model": model}
            for voice, mood in zip(people, (0.3, 0.9), strict=True)
        ]
        alone = [completed(speakers, submit(speakers, **request)) for request in requests]
        jobs = [submit(speakers, **request) for request in requests]
        together = [completed(speakers, job) for job in jobs]

        for one, other in zip(alone, together, strict=True):
            assert download(one["result_url"]) == download(other["result_url"])
        assert download(alone[0]["result_url"]) != download(alone[1]["result_url"])

    @pytest.mark.long
    def test_a_cancel_ends_it_in_mid_sentence(self, speakers: Service, model: str) -> None:
        job = submit(speakers, model=model, max_new_tokens=4096, text="All work and no play. " * 400)
        finished.assert_a_cancel_ends_it(speakers, "speakers", job)
        assert completed(speakers, submit(speakers, model=model, max_new_tokens=4))

    def test_too_short_recording_fails_before_a_gpu_works_on_it(
        self, speakers: Service, model: str, tmp_path: Path
    ) -> None:
        short = save_voice(tmp_path / "short.wav", 0.8)
        voice = f"data:audio/wav;base64,{base64.b64encode(short.read_bytes()).decode()}"

        status = failed(speakers, submit(speakers, model=model, target_voice_path=voice))

        assert "not_supported_by_model" == status["error"]["code"]
        assert "this one has 0.8 s" in status["error"]["message"]
        assert (None, 0) == (status["started_at"], status["attempt"])

    def test_a_silent_recording_fails_before_a_gpu_too(self, speakers: Service, model: str) -> None:
        silence = base64.b64encode(sound_file("wav", "pcm_s16le", seconds=6, silent=True)).decode()

        status = failed(speakers, submit(speakers, model=model, target_voice_path=f"data:audio/wav;base64,{silence}"))

        assert "input_unreadable" == status["error"]["code"]
        assert "This recording is silent or empty" in status["error"]["message"]
        assert (None, 0) == (status["started_at"], status["attempt"])


@pytest.mark.long
def test_its_progress_rises_with_the_tokens(speakers: Service) -> None:
    job = submit(speakers, model="turbo", max_new_tokens=400, text="All work and no play. " * 20)
    finished.assert_progress_rises(speakers, job)


@pytest.mark.long
def test_the_first_sound_comes_in_a_quarter_of_the_time(speakers: Service) -> None:
    """Ratio 13, as `benchmarks.spoken` measures it: 8 s of speech, the median of three after one."""
    seconds = import_module("benchmarks.spoken").seconds
    seconds(speakers.client, tokens=200)
    ratios = [first / whole for first, whole in (seconds(speakers.client, tokens=200) for _ in range(3))]
    assert statistics.median(ratios) <= 0.25, ratios


@pytest.mark.contract("E5")
def test_a_stored_voice_speaks_as_the_recording_itself(speakers: Service, people: list[str]) -> None:
    request = {"model": "turbo", "max_new_tokens": 15}
    kept = speakers.client.post("/voices/v1", json={"name": "Ben", "source": people[1]}).raise_for_status().json()
    recorded = completed(speakers, submit(speakers, target_voice_path=people[1], **request))

    stored = completed(speakers, submit(speakers, target_voice_path=kept["voice_id"], **request))

    assert download(recorded["result_url"]) == download(stored["result_url"])
    assert download(recorded["result_url"]) != download(completed(speakers, submit(speakers, **request))["result_url"])


@pytest.mark.contract("A49")
def test_a_voice_cloned_through_whaletools_is_the_recordings(speakers: Service, people: list[str]) -> None:
    voice = speakers.client.post("/whaletools/v1/voices", json={"name": "Anna", "audio_url": people[0]})
    voice_id = voice.raise_for_status().json()["id"]
    request = {"text": "Good morning.", "model": "turbo", "seed": 1, "output_format": "wav"}
    cloned = speakers.client.post("/whaletools/v1/generate/voice", json={**request, "voice_id": voice_id})

    native = submit(speakers, target_voice_path=people[0], max_new_tokens=LEAST_TOKENS, **request)
    assert voice_id == cloned.raise_for_status().json()["voice_id"]
    assert download(completed(speakers, native)["result_url"]) == download(cloned.json()["url"])
