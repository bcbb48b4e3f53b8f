"""Sounds and music from API to download: tiny random checkpoints in the published layout, through real processes."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import AceStepPipeline

from jobs.params.sound import SoundParams
from pipelines.runtime.protocol import Inputs, RawOutput, RunContext
from pipelines.sound.encode import encode
from tests.support.checkpoints import tiny_ace_step, tiny_moss
from tests.support.checkpoints.specs import entry, spec
from tests.support.checkpoints.tiny_moss import TinyMoss
from tests.support.media.spectra import decoded_sound
from tests.support.servers.databases import Databases
from tests.support.service import finished
from tests.support.service.model_service import model_service
from tests.support.service.service import Service

pytestmark = pytest.mark.long

MOSS = {"model": "moss", "prompt": "a door creaks", "duration_seconds": 1.5, "num_inference_steps": 4, "seed": 3}
SONG = {"model": "ace", "prompt": "a calm piano", "lyrics": "la la", "duration_seconds": 10, "seed": 3}
MANY_STEPS = 150
AS_MOSS: dict[str, Any] = {
    "family": "tests.support.checkpoints.tiny_moss:TinyMoss",
    "modality": "sound",
    "capabilities": ["negative-prompt"],
    "limits": {"max_seconds": 2.0},
}
"""Keys of its entry."""
PARAMS = SoundParams(prompt="a door creaks", duration_seconds=1.5, num_inference_steps=4)
CONTEXT = RunContext(seed=3, progress=lambda fraction, stage: None, warn=lambda text: None)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("weights")
    tiny_moss.fetch(tiny_moss.save(folder / "moss"))
    tiny_ace_step.save(folder / "ace")
    return folder


@pytest.fixture(scope="module")
def audio(
    postgres: Databases, valkey: str, weights: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    ace = {
        "family": "diffusers-music",
        "modality": "music",
        "capabilities": ["lyrics"],
        "limits": {"min_seconds": 10.0, "max_seconds": 600.0, "max_lyrics_chars": 100},
    }
    catalog = entry("moss", **AS_MOSS) + entry("ace", **ace)
    folder = tmp_path_factory.mktemp("audio")
    with model_service(folder, catalog, weights, server_id="audio", postgres=postgres, broker_url=valkey) as made:
        yield made


def encoded(raw: RawOutput, folder: Path) -> bytes:
    """The file of these samples."""
    sound, _ = encode(raw, SoundParams(prompt="-"), folder).files
    return (folder / sound.path).read_bytes()


def test_a_sound_is_that_of_the_facts_written_out(audio: Service, weights: Path, tmp_path: Path) -> None:
    """To a thousandth: the facts add up in another order than the family's layers, whose own bytes are the same."""
    torch.set_num_threads(1)
    file = finished.download(finished.make(audio, "sound", **MOSS)["result_url"])
    assert encoded(TinyMoss(spec(**AS_MOSS), weights / "moss", "cpu").run(PARAMS, Inputs(), CONTEXT), tmp_path) == file
    samples, rate = decoded_sound(file)
    facts = tiny_moss.reference(weights / "moss", MOSS["prompt"], 1.5, steps=4, guidance=4.0, seed=3).numpy()
    assert (48_000, 72_000, 1) == (rate, *samples.shape)
    assert np.abs(samples[:, 0] - facts).max() < 1e-3


def test_a_song_has_the_bytes_of_the_pipeline_called_directly(audio: Service, weights: Path, tmp_path: Path) -> None:
    torch.set_num_threads(1)  # as the engine computes: with more, sums are added up in another order
    file = finished.download(finished.make(audio, "music", **SONG)["result_url"])
    pipe: Any = AceStepPipeline.from_pretrained(weights / "ace")  # type: ignore[no-untyped-call]
    generator = torch.Generator().manual_seed(3)
    made = pipe(prompt=SONG["prompt"], lyrics="la la", audio_duration=10, generator=generator, output_type="np")
    raw = RawOutput(arrays={"samples": made.audios[0, :, :480_000].T}, metadata={"sample_rate": 48_000})
    assert encoded(raw, tmp_path) == file


@pytest.mark.parametrize(("modality", "body"), [("sound", MOSS), ("music", SONG)])
def test_the_same_seed_gives_the_same_bytes(audio: Service, modality: str, body: dict[str, Any]) -> None:
    first, again, other = (
        finished.make(audio, modality, **body | {"seed": seed})["outputs"][0]["sha256"] for seed in (5, 5, 6)
    )
    assert first == again != other


@pytest.mark.parametrize(("modality", "body"), [("sound", MOSS), ("music", SONG)])
def test_progress_rises_and_a_cancel_ends_it(audio: Service, modality: str, body: dict[str, Any]) -> None:
    slow = body | {"num_inference_steps": MANY_STEPS}
    job_id = audio.client.post(f"/generate/{modality}/v1", json=slow).raise_for_status().json()["job_id"]
    finished.assert_progress_rises(audio, job_id)
    job_id = audio.client.post(f"/generate/{modality}/v1", json=slow | {"seed": 4}).json()["job_id"]
    finished.assert_a_cancel_ends_it(audio, "audio", job_id)
    assert "completed" == finished.make(audio, modality, **body)["status"]


@pytest.mark.parametrize(
    ("body", "field"), [({"lyrics": "la" * 51}, "$.lyrics"), ({"duration_seconds": 9}, "$.duration_seconds")]
)
def test_beyond_the_entry_is_refused(audio: Service, body: dict[str, Any], field: str) -> None:
    answer = audio.client.post("/generate/music/v1", json=SONG | body)
    assert (422, "out_of_range", field) == (answer.status_code, answer.json()["code"], answer.json()["field"])
