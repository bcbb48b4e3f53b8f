"""From a picture and a recording to a face that says it, through every real part."""

import base64
from io import BytesIO
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image

from atelier_client import Atelier
from jobs.job import JobStatus
from tests.support.checkpoints import tiny_musetalk
from tests.support.checkpoints.specs import entry
from tests.support.media.recordings import sound, tone
from tests.support.media.voices import save_voice, syllables
from tests.support.paths import ROOT
from tests.support.servers.databases import Databases
from tests.support.service import finished
from tests.support.service.model_service import model_service
from tests.support.service.service import Service

PRESENTER = ROOT / "docs" / "images" / "presenter.png"
MOUTH = np.s_[:, 280:330, 220:292]


def source(data: bytes, media_type: str) -> str:
    return f"data:{media_type};base64,{base64.b64encode(data).decode()}"


PICTURE = source(PRESENTER.read_bytes(), "image/png")


def voice(folder: Path, seconds: float) -> str:
    return source(save_voice(folder / "voice.wav", syllables(seconds)).read_bytes(), "audio/wav")


@pytest.mark.contract("D16")
def test_the_mouth_of_the_film_follows_its_sound(studio: Service, tmp_path: Path) -> None:
    status = finished.make(studio, "avatar", input_image=PICTURE, input_audio=voice(tmp_path, 1.0))
    content = finished.download(status["result_url"])
    with av.open(BytesIO(content)) as container:
        frames = np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])
    with av.open(BytesIO(content)) as container:
        heard = np.concatenate([frame.to_ndarray()[0] for frame in container.decode(audio=0)])
    open_ = (frames[MOUTH].astype(int).sum(-1) < 200).sum((1, 2))
    loud = [float(np.sqrt((heard[n * 1920 : (n + 1) * 1920] ** 2).mean())) for n in range(25)]

    assert (512, 512, 1.0) == tuple(status["outputs"][0][name] for name in ("width", "height", "duration_seconds"))
    assert 25 == len(frames)
    assert np.corrcoef(open_, loud)[0, 1] > 0.75
    assert any("no model draws how lips" in warning for warning in status["warnings"])


@pytest.mark.long
@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"input_image": PICTURE}, "missing_field"),
        ({"input_audio": source(tone(), "audio/wav")}, "missing_field"),
        ({"input_image": PICTURE, "input_audio": source(tone(), "audio/wav"), "face_size": 2}, "out_of_range"),
        ({"input_image": PICTURE, "input_audio": PICTURE}, "unsupported_media"),
        ({"input_image": PICTURE, "input_audio": "https://10.0.0.1/a.wav"}, "forbidden_url"),
    ],
)
def test_a_wrong_request_is_refused_at_once(studio: Service, body: dict[str, Any], code: str) -> None:
    refused = studio.client.post("/generate/avatar/v1", json=body)
    assert (422, code) == (refused.status_code, refused.json()["code"]), refused.text


@pytest.mark.long
@pytest.mark.parametrize(
    ("recording", "code"),
    [
        (sound("wav", "pcm_s16le", silent=True), "input_unreadable"),
        (sound("wav", "pcm_s16le", rate=8000, seconds=61), "input_too_large"),
    ],
    ids=["silent", "too-long"],
)
def test_a_wrong_recording_fails_before_the_model(studio: Service, recording: bytes, code: str) -> None:
    body = {"input_image": PICTURE, "input_audio": source(recording, "audio/wav")}
    answer = studio.client.post("/generate/avatar/v1", json=body)
    failed = studio.ended(answer.raise_for_status().json()["job_id"], 60)
    assert failed.error is not None
    assert (JobStatus.FAILED, code) == (failed.status, failed.error.code)


@pytest.mark.long
def test_speech_of_a_step_before_is_said(studio: Service) -> None:
    face = studio.client.post("/inputs/v1", files={"file": PRESENTER.read_bytes()}).json()["input_id"]
    steps = [
        {"name": "speech", "modality": "speech", "text": "Good morning."},
        {"name": "film", "modality": "avatar", "input_image": face, "input_audio": "step:speech"},
    ]
    answer = studio.client.post("/chains/v1", json={"steps": steps}).raise_for_status().json()
    job_id = answer["steps"][1]["job"]["job_id"]
    assert JobStatus.COMPLETED == studio.ended(job_id, 120).status


@pytest.mark.long
def test_the_client_has_a_method(studio: Service, tmp_path: Path) -> None:
    recording = save_voice(tmp_path / "voice.wav", syllables(0.5))
    with Atelier(studio.url, studio.key) as atelier:
        status = atelier.avatar(input_image=PRESENTER, input_audio=recording, output_format="webm")
        atelier.download(status.outputs[0], tmp_path / "said.webm")
    assert ("video/webm", 0.48) == (status.outputs[0].media_type, status.outputs[0].duration_seconds)


@pytest.mark.long
def test_musetalk_through_the_service(postgres: Databases, valkey: str, tmp_path: Path) -> None:
    tiny_musetalk.save(tmp_path / "weights" / "musetalk")
    catalog = entry("musetalk", family="musetalk", modality="avatar", capabilities=[])
    face = Image.new("RGB", (128, 128), "#c08060")
    face.save(tmp_path / "face.png")
    with model_service(
        tmp_path, catalog, tmp_path / "weights", server_id="talker", postgres=postgres, broker_url=valkey
    ) as service:
        made = [
            finished.make(
                service,
                "avatar",
                input_image=source((tmp_path / "face.png").read_bytes(), "image/png"),
                input_audio=voice(tmp_path, 0.4),
            )["outputs"][0]
            for _ in range(2)
        ]
        asked = {
            "input_image": source((tmp_path / "face.png").read_bytes(), "image/png"),
            "input_audio": voice(tmp_path, 3.0),
        }
        jobs = (service.client.post("/generate/avatar/v1", json=asked).json()["job_id"] for _ in range(2))
        finished.assert_progress_rises(service, next(jobs))
        finished.assert_a_cancel_ends_it(service, "talker", next(jobs))
    assert made[0]["sha256"] == made[1]["sha256"]
    assert (128, 128, 0.4) == tuple(made[0][name] for name in ("width", "height", "duration_seconds"))
