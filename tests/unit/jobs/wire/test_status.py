"""The status answer of a job."""

from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest

from core.settings import Settings
from core.signing import check_link
from jobs.job import ACTIVE, TERMINAL, WAITING, Artifact, Job, JobError, JobStatus
from jobs.wire.status import QueueEstimate, output_path, processing_seconds, status_answer

SETTINGS = Settings(secret_key="a secret", public_url="https://media.example/")
START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
PICTURE = Artifact(
    key="ten_1/job_1/2/abc.webp",
    media_type="image/webp",
    bytes=1234,
    sha256="abc",
    metadata={"width": 64, "height": 32, "other": True},
)


def a_job(**changed):
    fields = {
        "id": "job_1",
        "tenant": "ten_1",
        "modality": "image",
        "model": "chaos",
        "params": {"modality": "image", "prompt": "p"},
        "seed": 7,
        "status": JobStatus.QUEUED,
        "fence": 0,
        "attempt": 0,
        "max_attempts": 3,
        "priority": 5,
        "server_id": None,
        "spill_at": None,
        "worker": None,
        "incarnation": None,
        "progress": 0.0,
        "stage": None,
        "callback_url": "http://example.com/s3cret",
        "available_at": START,
        "deadline_at": START + timedelta(days=1),
        "lease_until": None,
        "event_seq": 1,
        "error": None,
        "warnings": (),
        "artifacts": (),
        "cost": 0.0,
        "created_at": START,
        "queued_at": START,
        "started_at": None,
        "finished_at": None,
    }
    return Job(**(fields | changed))


def test_a_waiting_job():
    answer = status_answer(a_job(), SETTINGS, QueueEstimate(queue_position=3, estimated_seconds=12.5))
    assert ("job_1", "queued", 3, 12.5) == (
        answer.job_id,
        answer.status,
        answer.queue_position,
        answer.estimated_seconds,
    )
    assert (None, [], None) == (answer.result_url, answer.outputs, answer.processing_time_seconds)
    assert answer.balance_remaining_usd is None


def test_a_completed_job():
    job = a_job(
        status=JobStatus.COMPLETED,
        artifacts=(PICTURE, msgspec.structs.replace(PICTURE, key="ten_1/job_1/2/def.png")),
        warnings=("resized",),
        worker="gpu-1",
        started_at=START,
        finished_at=START + timedelta(seconds=1.23456),
    )
    answer = status_answer(job, SETTINGS, QueueEstimate(balance_remaining_usd=1.5))
    first, second = answer.outputs
    assert (1234, "image/webp", "abc", 64, 32, None) == (
        first.bytes,
        first.media_type,
        first.sha256,
        first.width,
        first.height,
        first.duration_seconds,
    )
    assert first.url == answer.result_url
    assert second.url.startswith("https://media.example/o/job_1/1.png?signature=")
    assert (1.235, ["resized"], "gpu-1", 7, 1.5) == (
        answer.processing_time_seconds,
        answer.warnings,
        answer.server_id,
        answer.seed,
        answer.balance_remaining_usd,
    )


def test_a_link_is_stable_and_carries_its_signature():
    job = a_job(artifacts=(PICTURE,))
    url = status_answer(job, SETTINGS, QueueEstimate()).result_url
    assert url == status_answer(job, SETTINGS, QueueEstimate()).result_url
    parts = urlsplit(url)
    assert output_path("job_1", 0, "webp") == parts.path
    check_link("a secret", parts.path, parse_qs(parts.query)["signature"][0])


def test_a_failed_job():
    job = a_job(status=JobStatus.FAILED, error=JobError("pipeline_failed", "It broke."), finished_at=START)
    answer = status_answer(job, SETTINGS, QueueEstimate())
    assert {"code": "pipeline_failed", "message": "It broke."} == msgspec.to_builtins(answer.error)
    assert answer.processing_time_seconds is None


@pytest.mark.parametrize(
    ("asked", "ran", "shown"), [(None, None, None), ("a", None, "a"), (None, "b", "b"), ("a", "b", "b")]
)
def test_the_server_is_the_worker_or_else_the_one_asked_for(asked, ran, shown):
    assert shown == status_answer(a_job(server_id=asked, worker=ran), SETTINGS, QueueEstimate()).server_id


def test_processing_time_counts_from_the_last_claim_to_the_end():
    assert processing_seconds(a_job(started_at=START)) is None
    assert 2.0 == processing_seconds(a_job(started_at=START, finished_at=START + timedelta(seconds=2)))


def test_the_answer_says_nothing_that_is_not_the_callers():
    text = msgspec.json.encode(status_answer(a_job(artifacts=(PICTURE,)), SETTINGS, QueueEstimate())).decode()
    for inner in ("ten_1", "s3cret", "fence", "lease", "a secret"):
        assert inner not in text


def test_states_are_waiting_processing_or_terminal():
    assert set(JobStatus) == {*ACTIVE, *TERMINAL}
    assert {*WAITING, JobStatus.PROCESSING} == set(ACTIVE)
    assert set(TERMINAL) == {status for status in JobStatus if status.terminal}


def test_a_job_reads_its_parameters_as_its_modalitys():
    assert "p" == a_job().read_params().prompt
