"""From words to a sound, through every real part."""

from pathlib import Path
from typing import Any

import pytest

from atelier_client import Atelier
from tests.support.media.spectra import decoded_sound, flatness, share
from tests.support.service import finished
from tests.support.service.service import Service

pytestmark = pytest.mark.long

RAIN = {"prompt": "rain", "duration_seconds": 2}


def heard(status: dict[str, Any]) -> tuple[Any, int]:
    return decoded_sound(finished.download(status["result_url"]))


def test_rain_is_broadband_and_a_bell_is_not(studio: Service) -> None:
    (rain, rate), (bell, _) = (heard(finished.make(studio, "sound", prompt=prompt)) for prompt in ("rain", "a bell"))
    assert (48_000, 2) == (rate, rain.shape[1])
    assert share(rain, rate, 4000, 24_000) > 0.6 > 0.1 > share(bell, rate, 4000, 24_000)
    assert flatness(rain, rate, 1000, 8000) > 0.4 > 0.01 > flatness(bell, rate, 1000, 8000)


def test_the_same_seed_gives_the_same_bytes(studio: Service) -> None:
    first, again, other = (finished.make(studio, "sound", seed=seed, **RAIN)["outputs"][0] for seed in (5, 5, 6))
    assert first["sha256"] == again["sha256"] != other["sha256"]
    assert ("audio/wav", 2.0) == (first["media_type"], first["duration_seconds"])


def test_progress_rises_with_its_sounds(studio: Service) -> None:
    asked = {"prompt": "rain, thunder, wind, birds and applause", "duration_seconds": 30}
    finished.assert_progress_rises(studio, studio.client.post("/generate/sound/v1", json=asked).json()["job_id"])


@pytest.mark.parametrize(
    ("body", "code", "field"),
    [
        ({"prompt": "a purple idea"}, "not_supported_by_model", "$.prompt"),
        ({"prompt": " "}, "out_of_range", "$.prompt"),
        ({"prompt": "rain", "duration_seconds": 31}, "out_of_range", "$.duration_seconds"),
        ({"prompt": "rain", "duration_seconds": 0.1}, "out_of_range", "$.duration_seconds"),
        ({"prompt": "rain", "loop": "yes"}, "wrong_type", "$.loop"),
        ({}, "missing_field", "$.prompt"),
    ],
)
def test_what_cannot_be_made_is_refused_before_a_job_is_made(
    studio: Service, body: dict[str, Any], code: str, field: str
) -> None:
    answer = studio.client.post("/generate/sound/v1", json=body)
    assert (422, code, field) == (answer.status_code, answer.json()["code"], answer.json()["field"])


def test_the_library_has_its_peaks(studio: Service) -> None:
    job_id = finished.make(studio, "sound", **RAIN)["job_id"]
    items = studio.client.get("/media/v1", params={"kind": "audio"}).json()["media"]
    (item,) = (one for one in items if one["job_id"] == job_id)
    assert {"peaks", "thumbnail"} <= {one["name"] for one in item["previews"]}


def test_the_client_has_a_method(studio: Service, tmp_path: Path) -> None:
    with Atelier(studio.url, studio.key) as atelier:
        status = atelier.sound(prompt="thunder", duration_seconds=2, output_format="flac")
        atelier.download(status.outputs[0], tmp_path / "thunder.flac")
    samples, rate = decoded_sound((tmp_path / "thunder.flac").read_bytes())
    assert share(samples, rate, 0, 250) > 0.7
