"""ImagePipeline's callback body and the reasons of failures."""

from datetime import UTC, datetime, timedelta

import pytest

from core.errors.base import AtelierError
from core.errors.failures import JobFailed
from core.errors.tree import all_errors
from core.settings import Settings
from jobs.job import Artifact, Job, JobError, JobStatus
from jobs.wire.dialects.imagepipeline import callback_body, failure_reason

SETTINGS = Settings(secret_key="a secret", public_url="https://media.example/")
END = datetime(2026, 1, 2, 3, 4, 5, 600_000, tzinfo=UTC)
PICTURE = Artifact(key="ten_1/job_1/2/abc.webp", media_type="image/webp", bytes=1234, sha256="abc")
REASONS = {
    *("RATE_LIMIT_EXCEEDED", "CONCURRENT_JOBS_EXCEEDED", "INSUFFICIENT_CREDITS", "CREDIT_CHARGE_FAILED"),
    *("INPUT_INVALID", "MODEL_ERROR", "MODEL_UNAVAILABLE", "STORAGE_ERROR", "TIMEOUT", "INTERNAL_ERROR", "CANCELLED"),
}


def ended(status, **changed):
    fields = {
        "id": "job_1",
        "tenant": "ten_1",
        "modality": "image",
        "model": "chaos",
        "params": {"modality": "image", "prompt": "p"},
        "seed": 7,
        "status": status,
        "fence": 0,
        "attempt": 1,
        "max_attempts": 3,
        "priority": 5,
        "server_id": None,
        "spill_at": None,
        "worker": None,
        "incarnation": None,
        "progress": 1.0,
        "stage": None,
        "callback_url": "http://example.com/hook",
        "available_at": END,
        "deadline_at": END + timedelta(days=1),
        "lease_until": None,
        "event_seq": 3,
        "error": None,
        "warnings": (),
        "artifacts": (),
        "cost": 0.0,
        "created_at": END,
        "queued_at": END,
        "started_at": END,
        "finished_at": END,
    }
    return Job(**(fields | changed))


def test_a_completed_job_has_its_first_output():
    body = callback_body(ended(JobStatus.COMPLETED, artifacts=(PICTURE,)), SETTINGS)
    assert ("job_1", "ten_1", "completed", 1767323045) == (body.job_id, body.user_id, body.status, body.timestamp)
    assert ("image/webp", 1234) == (body.result_mime_type, body.result_size_bytes)
    assert body.result_url.startswith("https://media.example/o/job_1/0.webp?signature=")
    assert (None, None, None) == (body.error, body.failure_reason_code, body.retryable)


@pytest.mark.parametrize(
    ("code", "reason", "retryable"),
    [
        ("input_unreadable", "INPUT_INVALID", False),
        ("input_unreachable", "INPUT_INVALID", False),
        ("gpu_out_of_memory", "MODEL_ERROR", True),
        ("model_load_failed", "MODEL_UNAVAILABLE", True),
        ("storage_unavailable", "STORAGE_ERROR", True),
        ("deadline_exceeded", "TIMEOUT", True),
        ("attempts_exhausted", "INTERNAL_ERROR", True),
        ("from_a_newer_version", "INTERNAL_ERROR", True),
    ],
)
def test_a_failed_job_has_a_reason_of_the_client(code, reason, retryable):
    job = ended(JobStatus.FAILED, error=JobError(code, "It went wrong; try again."))
    body = callback_body(job, SETTINGS)
    assert ("failed", "It went wrong; try again.") == (body.status, body.error)
    assert (reason, retryable) == (body.failure_reason_code, body.retryable)
    assert (None, None) == (body.result_url, body.result_mime_type)


def test_a_cancelled_job_is_a_failed_one():
    body = callback_body(ended(JobStatus.CANCELLED), SETTINGS)
    assert ("failed", "CANCELLED", False) == (body.status, body.failure_reason_code, body.retryable)
    assert body.error


@pytest.mark.parametrize("error", [*all_errors(JobFailed), *all_errors(AtelierError)])
def test_every_error_has_a_reason_that_the_client_documents(error):
    found = failure_reason(ended(JobStatus.FAILED, error=JobError.of(error)))
    assert found.failure_reason_code in REASONS
    assert error.advice == found.error


@pytest.mark.parametrize("status", [JobStatus.PENDING, JobStatus.QUEUED, JobStatus.PROCESSING, JobStatus.COMPLETED])
def test_a_job_that_did_not_fail_has_no_reason(status):
    assert failure_reason(ended(status)) is None
