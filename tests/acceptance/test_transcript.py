"""Transcripts through every real part, of a tiny random Whisper in the published layout; OpenAI's client unmodified."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from openai import BadRequestError, OpenAI
from transformers import WhisperProcessor

from atelier_client import Atelier
from jobs.job import JobStatus
from tests.support.checkpoints import tiny_whisper
from tests.support.checkpoints.specs import entry
from tests.support.media.films import film_of, moving_art
from tests.support.media.recordings import float_wav, sound, tone
from tests.support.servers.databases import Databases
from tests.support.service import finished
from tests.support.service.model_service import model_service
from tests.support.service.service import Service
from tests.unit.pipelines.transcript.test_whisper import directly, recording

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def hearing(postgres: Databases, valkey: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service whose worker serves a Whisper of three languages."""
    folder = tmp_path_factory.mktemp("hearing")
    tiny_whisper.save(folder / "weights" / "whisper")
    catalog = entry(
        "whisper",
        family="whisper",
        modality="transcript",
        languages=list(tiny_whisper.LANGUAGES),
        capabilities=["word-times"],
    )
    with model_service(
        folder, catalog, folder / "weights", server_id="hearing", postgres=postgres, broker_url=valkey
    ) as made:
        yield made


@pytest.fixture(scope="module")
def client(hearing: Service) -> OpenAI:
    return OpenAI(base_url=f"{hearing.url}/openai/v1", api_key=hearing.key)


def uploaded(hearing: Service, content: bytes) -> str:
    answer = hearing.client.post("/inputs/v1", files={"file": content}).raise_for_status()
    return str(answer.json()["input_id"])


def make(hearing: Service, content: bytes, **fields: Any) -> dict[str, Any]:
    body = {"input_audio": uploaded(hearing, content), "language_id": "en", **fields}
    return finished.make(hearing, "transcript", **body)


def test_its_words_are_in_the_answer_and_its_times_in_the_file(hearing: Service) -> None:
    (output,) = make(hearing, tone(3.0))["outputs"]
    assert ("application/json", "en") == (output["media_type"], output["language"])
    written = json.loads(finished.download(output["url"]))
    assert output["text"] == written["text"] == " ".join(each["text"] for each in written["segments"])
    assert (3.0, "en") == (written["duration"], written["language"])
    assert output["sha256"] == make(hearing, tone(3.0))["outputs"][0]["sha256"]


def test_it_hears_what_transformers_hears(hearing: Service, tmp_path: Path) -> None:
    file = recording(tmp_path / "recording.wav", 41.0)
    written = json.loads(finished.download(make(hearing, file.read_bytes())["result_url"]))
    folder = Path(hearing.settings.weights_dir) / "whisper"
    heard = directly(folder, file, language="en", task="transcribe")
    processor = WhisperProcessor.from_pretrained(folder)
    expected = [processor.decode(tokens, skip_special_tokens=True).strip() for tokens in heard]
    assert expected == [each["text"] for each in written["segments"]]


@pytest.mark.parametrize(
    ("ending", "media_type", "begin"),
    [
        ("srt", "application/x-subrip", r"1\n\d\d:\d\d:\d\d,\d{3} --> "),
        ("vtt", "text/vtt", r"WEBVTT\n\n\d\d:\d\d:\d\d\.\d{3} --> "),
        ("txt", "text/plain", "."),
    ],
)
def test_subtitles_and_plain_text(hearing: Service, ending: str, media_type: str, begin: str) -> None:
    (output,) = make(hearing, tone(3.0), output_format=ending)["outputs"]
    assert media_type == output["media_type"]
    assert re.match(begin, finished.download(output["url"]).decode())


@pytest.mark.parametrize("content", [sound("mp3", "libmp3lame", seconds=3), film_of(moving_art(36), tone=440)])
def test_a_film_is_heard_as_a_recording_is(hearing: Service, content: bytes) -> None:
    written = json.loads(finished.download(make(hearing, content)["result_url"]))
    assert 2.9 < written["duration"] < 3.2


def test_longer_than_a_window_it_is_followed_and_cancelled(hearing: Service) -> None:
    body = {"input_audio": uploaded(hearing, tone(250.0, channels=1)), "language_id": "en"}
    followed = hearing.client.post("/generate/transcript/v1", json=body).json()["job_id"]
    finished.assert_progress_rises(hearing, followed)
    job_id = hearing.client.post("/generate/transcript/v1", json=body).json()["job_id"]
    finished.assert_a_cancel_ends_it(hearing, "hearing", job_id)
    assert make(hearing, tone(1.0))["outputs"]


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (float_wav(np.zeros((16_000, 1)), 16_000), "input_unreadable"),
        (film_of(moving_art(6)), "unsupported_media"),
    ],
)
def test_what_has_no_voice_fails_with_its_code(hearing: Service, content: bytes, code: str) -> None:
    body = {"input_audio": uploaded(hearing, content)}
    job_id = hearing.client.post("/generate/transcript/v1", json=body).json()["job_id"]
    failed = hearing.ended(job_id, 60)
    assert failed.error is not None
    assert (JobStatus.FAILED, code) == (failed.status, failed.error.code)


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"language_id": "tlh"}, "$.language_id"),
        ({"prompt": "<|en|>"}, "$.prompt"),
        ({"output_format": "docx"}, "$.output_format"),
    ],
)
def test_bad_input_is_refused_before_it_waits(hearing: Service, fields: dict[str, Any], field: str) -> None:
    body = {"input_audio": "https://shop.example/a.mp3", **fields}
    answer = hearing.client.post("/generate/transcript/v1", json=body)
    assert (422, field) == (answer.status_code, answer.json()["field"])


def test_openai_client_writes_down_a_recording(hearing: Service, client: OpenAI) -> None:
    whole = make(hearing, tone(3.0))["outputs"][0]["text"]
    made = client.audio.transcriptions.create(model="whisper-1", file=("a.wav", tone(3.0)), language="en")
    assert whole == made.text
    timed = client.audio.transcriptions.create(
        model="whisper-1",
        file=("a.wav", tone(3.0)),
        language="en",
        response_format="verbose_json",
        timestamp_granularities=["segment"],
    )
    assert (whole, 3.0) == (timed.text, timed.duration)
    assert timed.segments
    assert whole == " ".join(each.text for each in timed.segments)
    assert timed.words is None


def test_openai_client_gets_the_times_of_words(hearing: Service, client: OpenAI) -> None:
    made = client.audio.transcriptions.create(
        model="whisper-1",
        file=("a.wav", tone(3.0)),
        language="en",
        response_format="verbose_json",
        timestamp_granularities=["word"],
    )
    assert made.words
    times = [(each.start, each.end) for each in made.words]
    assert all(0 <= start <= end <= 3.0 for start, end in times)
    assert made.text.split()[0].startswith(made.words[0].word)
    (output,) = make(hearing, tone(3.0), timestamp_granularities=["word"])["outputs"]
    written = json.loads(finished.download(output["url"]))["words"]
    assert [(each.word, each.start, each.end) for each in made.words] == [(*each.values(),) for each in written]


@pytest.mark.parametrize(("form", "begin"), [("srt", "1\n00:"), ("vtt", "WEBVTT\n"), ("text", "")])
def test_openai_client_gets_subtitles(client: OpenAI, form: Any, begin: str) -> None:
    made = client.audio.transcriptions.create(model="whisper-1", file=("a.wav", tone(3.0)), response_format=form)
    assert isinstance(made, str)
    assert made.startswith(begin)
    assert made.strip()


def test_openai_client_is_refused_what_is_not_offered(client: OpenAI) -> None:
    with pytest.raises(BadRequestError) as refused:
        client.audio.transcriptions.create(
            model="whisper-1",
            file=("a.wav", tone(1.0)),
            response_format="srt",
            timestamp_granularities=["word"],
        )
    assert "timestamp_granularities" == refused.value.param
    with pytest.raises(BadRequestError) as refused:
        client.audio.transcriptions.create(model="whisper-1", file=("a.wav", tone(1.0)), language="tlh")
    assert "language" == refused.value.param


def test_the_client_has_a_method(hearing: Service, tmp_path: Path) -> None:
    with Atelier(hearing.url, hearing.key) as atelier:
        status = atelier.transcript(
            input_audio=uploaded(hearing, tone(2.0)), language_id="en", output_format="txt", seed=7
        )
        atelier.download(status.outputs[0], tmp_path / "said.txt")
    assert f"{status.outputs[0].text}\n" == (tmp_path / "said.txt").read_text("utf-8")
