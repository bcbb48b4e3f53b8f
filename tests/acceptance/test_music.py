"""From words to music, through every real part."""

from pathlib import Path
from typing import Any

import pytest

from atelier_client import Atelier
from tests.support.media.music import key_of, tempo
from tests.support.media.spectra import decoded_sound
from tests.support.service import finished
from tests.support.service.service import Service

TUNE = {"prompt": "a happy tune", "bpm": 100, "key": "G major", "duration_seconds": 10}


@pytest.mark.contract("E4")
def test_music_has_its_tempo_and_its_key(studio: Service) -> None:
    samples, rate = decoded_sound(finished.download(finished.make(studio, "music", **TUNE)["result_url"]))
    assert (48_000, 2, 10.0) == (rate, samples.shape[1], len(samples) / rate)
    assert "G major" == key_of(samples, rate)
    assert pytest.approx(tempo(samples, rate, 120), rel=0.01) == 100


@pytest.mark.long
def test_the_same_seed_gives_the_same_bytes(studio: Service) -> None:
    first, again, other = (finished.make(studio, "music", seed=seed, **TUNE)["outputs"][0] for seed in (5, 5, 6))
    assert first["sha256"] == again["sha256"] != other["sha256"]


@pytest.mark.long
@pytest.mark.parametrize(
    ("body", "code", "field"),
    [
        ({"prompt": "a purple idea"}, "not_supported_by_model", "$.prompt"),
        ({"prompt": "happy", "lyrics": "la la"}, "not_supported_by_model", "$.lyrics"),
        ({"prompt": "happy", "lyrics": "la " * 4000}, "out_of_range", "$.lyrics"),
        ({"prompt": "happy", "lyrics": " \n "}, "out_of_range", "$.lyrics"),
        ({"prompt": "happy", "lyrics": "la", "instrumental": True}, "invalid_request", "$.lyrics"),
        ({"prompt": "happy", "duration_seconds": 121}, "out_of_range", "$.duration_seconds"),
        ({"prompt": "happy", "duration_seconds": 601}, "out_of_range", "$.duration_seconds"),
        ({"prompt": "happy", "bpm": 29}, "out_of_range", "$.bpm"),
        ({"prompt": "happy", "key": "H major"}, "out_of_range", "$.key"),
        ({"prompt": "happy", "time_signature": "5/4"}, "out_of_range", "$.time_signature"),
    ],
)
def test_what_cannot_be_made_is_refused_before_a_job_is_made(
    studio: Service, body: dict[str, Any], code: str, field: str
) -> None:
    answer = studio.client.post("/generate/music/v1", json=body)
    assert (422, code, field) == (answer.status_code, answer.json()["code"], answer.json()["field"])


@pytest.mark.long
def test_progress_rises_with_its_bars(studio: Service) -> None:
    asked = TUNE | {"duration_seconds": 120}
    finished.assert_progress_rises(studio, studio.client.post("/generate/music/v1", json=asked).json()["job_id"])


@pytest.mark.long
def test_the_client_has_a_method(studio: Service, tmp_path: Path) -> None:
    with Atelier(studio.url, studio.key) as atelier:
        status = atelier.music(prompt="sad piano", key="D minor", duration_seconds=12, output_format="mp3")
        atelier.download(status.outputs[0], tmp_path / "sad.mp3")
    samples, rate = decoded_sound((tmp_path / "sad.mp3").read_bytes())
    assert "D minor" == key_of(samples, rate)
