"""Runs of each kind of engine that take too long, or run out of memory: transformers, diffusers, ONNX Runtime, speech.

`tests/faults/test_gpu_worker.py` has the same of a model that computes nothing.
"""

import base64
from collections.abc import Iterator
from typing import Any

import pytest

from jobs.job import JobStatus
from tests.support.checkpoints import tiny_chatterbox, tiny_checkpoints, tiny_onnx, tiny_texts
from tests.support.checkpoints.specs import entry
from tests.support.media.films import film_of, moving_art
from tests.support.servers.databases import Databases
from tests.support.service import finished
from tests.support.service.model_service import model_service
from tests.support.service.service import Service
from tests.support.wait import until

pytestmark = pytest.mark.long

ISNET = "isnet-general-use"
FILM = f"data:video/mp4;base64,{base64.b64encode(film_of(moving_art(12))).decode()}"
KINDS: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "Text": ("text", {"source": {"path": "qwen3"}}, {"prompt": "hello", "max_tokens": 100, "seed": 7}),
    "Speech": (
        "speech",
        {"source": {"path": "turbo"}},
        {"text": "All work and no play. " * 4, "max_new_tokens": 100, "seed": 7},
    ),
    "Image": (
        "image",
        {"source": {"path": "zimage"}, "capabilities": ["text-to-image"]},
        {"prompt": "a photo", "width": 64, "height": 64, "num_inference_steps": 12, "seed": 7, "output_format": "png"},
    ),
    "Cutout": (
        "remove-background",
        {"source": {"path": ISNET}, "variant": ISNET, "capabilities": ["films"]},
        {"input_video": FILM},
    ),
}
"""By the name of the family behind `Hampered`: the modality, the entry, and a job that has at least ten steps."""
DEADLINE_SECONDS = 15
"""Time enough to load a model on a busy machine, and less than ten steps of a slow one take."""
FAULTS = ("well", "slow", "full", "once-full")


@pytest.fixture(scope="module")
def hampered(postgres: Databases, valkey: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("hampered")
    tiny_texts.save("qwen3", folder / "weights" / "qwen3")
    tiny_chatterbox.save("turbo", folder / "weights" / "turbo")
    tiny_checkpoints.save("zimage", folder / "weights" / "zimage")
    tiny_onnx.brightness(ISNET, folder / "weights" / ISNET)
    catalog = "".join(
        entry(
            f"{fault}-{kind.lower()}",
            family=f"tests.support.checkpoints.hampered:Hampered{kind}",
            modality=modality,
            **keys,
        )
        for kind, (modality, keys, _) in KINDS.items()
        for fault in FAULTS
    )
    with model_service(
        folder, catalog, folder / "weights", server_id="hampered", postgres=postgres, broker_url=valkey
    ) as made:
        yield made


def submit(hampered: Service, fault: str, kind: str, **fields: Any) -> str:
    modality, _, body = KINDS[kind]
    body = {**body, "model": f"{fault}-{kind.lower()}", **fields}
    answer = hampered.client.post(f"/generate/{modality}/v1", json=body)
    assert 202 == answer.status_code, answer.text
    return str(answer.json()["job_id"])


def made(hampered: Service, fault: str, kind: str) -> str:
    """The sha256 of what a job makes."""
    modality, _, body = KINDS[kind]
    status = finished.make(hampered, modality, **body, model=f"{fault}-{kind.lower()}")
    return str(status["outputs"][0]["sha256"])


def failed(hampered: Service, job_id: str) -> tuple[str, int]:
    """The code of a job that failed, and its attempts."""
    job = hampered.ended(job_id, 60)
    assert JobStatus.FAILED == job.status
    assert job.error is not None
    return job.error.code, job.attempt


def engines(hampered: Service) -> int:
    """How many engines were started."""
    return hampered.log("hampered").count("engine: started")


@pytest.mark.parametrize("kind", KINDS)
def test_a_deadline_ends_a_run_between_its_steps(hampered: Service, kind: str) -> None:
    assert made(hampered, "well", kind)
    before = engines(hampered)
    late = submit(hampered, "slow", kind, deadline_seconds=DEADLINE_SECONDS)
    hampered.running(late, 30)
    assert ("deadline_exceeded", 1) == failed(hampered, late)
    _, stage = until(lambda: finished.interrupted_at(hampered, "hampered", late), 30, "the engine to be interrupted")
    assert "step" == stage
    assert made(hampered, "well", kind)
    assert before == engines(hampered)


@pytest.mark.parametrize("kind", KINDS)
def test_memory_that_runs_out_is_freed_and_it_runs_again(hampered: Service, kind: str) -> None:
    again, whole = (made(hampered, "once-full", kind) for _ in range(2))
    assert whole == again
    assert 1 == hampered.log("hampered").count(f"engine: out of memory, tried again model=once-full-{kind.lower()}")
    before = engines(hampered)
    assert ("gpu_out_of_memory", 1) == failed(hampered, submit(hampered, "full", kind))
    assert whole == made(hampered, "once-full", kind)
    assert before == engines(hampered)
