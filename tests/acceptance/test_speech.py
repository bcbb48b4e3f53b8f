"""From a text to a recording, through every real part, with the demo voice."""

from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import av
import httpx
import pytest
from PIL import Image

from tests.support.service import finished
from tests.support.service.finished import download
from tests.support.service.service import Service

TEXT = "Good morning. Your order has left our workshop."


def make(studio: Service, **fields: Any) -> dict[str, Any]:
    return finished.make(studio, "speech", **{"text": TEXT, **fields})


def sample(url: str) -> bytes:
    """What the sample's link leads to, once it is made."""
    return httpx.get(url, follow_redirects=True, timeout=120).raise_for_status().content


def seconds(file: bytes) -> float:
    """How long a recording really is."""
    with av.open(BytesIO(file)) as opened:
        return sum(frame.samples / frame.sample_rate for frame in opened.decode(audio=0))


@pytest.mark.contract("C33", "C34", "C35", "C40")
def test_a_text_becomes_a_wav_and_a_picture_of_its_waveform(studio: Service) -> None:
    status = make(studio)

    sound, picture = status["outputs"]
    file = download(status["result_url"])
    assert (b"RIFF", "audio/wav", status["result_url"]) == (file[:4], sound["media_type"], sound["url"])
    assert 1.5 < seconds(file) < 10
    assert sound["duration_seconds"] == pytest.approx(seconds(file), abs=0.05)
    assert "PNG" == Image.open(BytesIO(download(picture["url"]))).format
    assert "demo-espeak" == status["model"]


@pytest.mark.matrix
@pytest.mark.parametrize(("output_format", "codec"), [("mp3", "mp3"), ("ogg", "opus")])
def test_other_formats(studio: Service, output_format: str, codec: str) -> None:
    status = make(studio, output_format=output_format)

    with av.open(BytesIO(download(status["result_url"]))) as opened:
        assert codec in opened.streams.audio[0].codec_context.name


@pytest.mark.contract("C37")
def test_the_tokens_bound_the_recording(studio: Service) -> None:
    status = make(studio, max_new_tokens=25)

    assert seconds(download(status["result_url"])) <= 1.01
    assert status["warnings"]


def test_a_language_that_the_model_does_not_speak_is_named(studio: Service) -> None:
    answer = studio.client.post("/generate/speech/v1", json={"text": TEXT, "language_id": "tlh-x"})

    assert (422, "not_supported_by_model") == (answer.status_code, answer.json()["code"])
    assert "tlh-x" in answer.json()["detail"]


@pytest.mark.parametrize("text", ["", "   ", "a" * 10_001])
def test_a_text_without_words_or_without_end_is_refused(studio: Service, text: str) -> None:
    answer = studio.client.post("/generate/speech/v1", json={"text": text})

    assert (422, "$.text") == (answer.status_code, answer.json()["field"])


LONG = " ".join(
    f"This is the sentence with the number {number}, of a text that takes its time." for number in range(12)
)


@pytest.mark.matrix
@pytest.mark.contract("F6")
@pytest.mark.parametrize(
    ("media_type", "output_format", "header"),
    [("audio/wav", "wav", 44), ("audio/pcm", "pcm", 0), ("audio/ogg", "ogg", 0)],
)
def test_what_is_heard_while_it_is_made_is_what_is_stored(
    studio: Service, media_type: str, output_format: str, header: int
) -> None:
    body = {"text": LONG, "max_new_tokens": 4096}
    with studio.client.stream("POST", "/generate/speech/v1", json=body, headers={"Accept": media_type}) as answer:
        assert (200, media_type) == (answer.status_code, answer.headers["Content-Type"])
        job_id, chunks = answer.headers["X-Atelier-Job"], answer.iter_raw()
        heard = [next(chunks)]
        before = studio.client.get(f"/jobs/v1/{job_id}").json()["status"]
        heard += chunks
    sound, status = b"".join(heard), studio.client.get(f"/jobs/v1/{job_id}").json()
    stored = download(status["result_url"])

    assert ("processing", "completed") == (before, status["status"])
    assert len(heard) > 3
    assert (len(stored), stored[header:]) == (len(sound), sound[header:])
    assert stored == studio.client.get(f"/jobs/v1/{job_id}/sound").content
    if output_format != "pcm":
        assert seconds(sound) == pytest.approx(seconds(stored), abs=0.1)


@pytest.mark.long
class TestOwnVoices:
    """Of the model that has several."""

    @pytest.fixture(autouse=True)
    def weights(self, unpacked: Callable[[str], Path]) -> None:
        unpacked("demo-kokoro")

    def test_a_voice_chooses_its_model(self, studio: Service) -> None:
        word = {"word": "workshop", "phonemes": "ˈwɜːkʃɒp"}
        asked = {"text": "Our workshop.", "replacements": [word]}
        first, again, other = (make(studio, voice=voice, **asked) for voice in ("jm_kumo", "jm_kumo", "jf_alpha"))

        file = download(first["result_url"])
        assert "demo-kokoro" == first["model"]
        assert 0.8 < seconds(file) < 3
        assert file == download(again["result_url"])
        assert file != download(other["result_url"])

    def test_each_is_listed_with_a_sample(self, studio: Service) -> None:
        voices = studio.client.get("/voices/v1", params={"model": "demo-kokoro"}).json()["voices"]
        assert ["jf_alpha", "jf_gongitsune", "jf_nezumi", "jf_tebukuro", "jm_kumo"] == [v["voice"] for v in voices]
        kumo = studio.client.get("/voices/v1/builtin:demo-kokoro:jm_kumo").json()
        assert voices[4] == kumo
        first = sample(kumo["preview_url"])
        assert 3 < seconds(first) < 9
        assert first == sample(kumo["preview_url"])

    def test_progress_rises_and_a_cancel_comes_between_sentences(self, studio: Service) -> None:
        asked = {"text": LONG, "voice": "jm_kumo", "max_new_tokens": 4096}
        jobs = (studio.client.post("/generate/speech/v1", json=asked).json()["job_id"] for _ in range(2))
        finished.assert_progress_rises(studio, next(jobs))
        finished.assert_a_cancel_ends_it(studio, "studio", next(jobs))
        assert make(studio, text="Our workshop.", voice="jm_kumo")["outputs"]

    def test_others_do_not_speak_in_it(self, studio: Service) -> None:
        asked = {"text": TEXT, "model": "demo-espeak", "voice": "jm_kumo"}
        answer = studio.client.post("/generate/speech/v1", json=asked)
        assert (422, "not_supported_by_model") == (answer.status_code, answer.json()["code"])
