"""What `atelier jobs` prints of a job, from scripted answers of the API."""

from datetime import UTC, datetime

import msgspec
import pytest
from click.testing import CliRunner

from cli.commands.client.jobs import jobs
from cli.http.client import Client
from jobs.job import JobError, JobStatus
from jobs.wire.job_request import JobRequest
from jobs.wire.status import StatusAnswer
from jobs.wire.wait_reasons import Reason, waiting_for

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
JOB = StatusAnswer(
    job_id="job_1",
    status=JobStatus.CANCELLED,
    modality="image",
    model="chaos",
    progress=0.0,
    stage=None,
    queue_position=None,
    waiting_for=None,
    estimated_seconds=None,
    result_url=None,
    outputs=[],
    warnings=[],
    error=None,
    processing_time_seconds=None,
    balance_remaining_usd=None,
    server_id=None,
    seed=1,
    attempt=0,
    created_at=NOW,
    started_at=None,
    finished_at=NOW,
)
REQUEST = JobRequest(
    job_id="job_1",
    tenant_id="ten_0123",
    tenant="shop",
    modality="image",
    model="chaos",
    params={"prompt": "a star"},
    server_id=None,
    priority=5,
    callback_url=None,
    deadline_at=NOW,
    trace_id=None,
)


@pytest.fixture
def facts(monkeypatch, tmp_path):
    """A function that returns the facts that `jobs show` prints."""

    def show(request=REQUEST, **changes):
        monkeypatch.setattr(Client, "job", lambda self, job_id: msgspec.structs.replace(JOB, **changes))
        monkeypatch.setattr(Client, "known_request", lambda self, job_id: request)
        words = ["show", "job_1", "--url", "http://127.0.0.1:1", "--key", "k", "--data", str(tmp_path)]
        outcome = CliRunner().invoke(jobs, words, catch_exceptions=False)
        assert 0 == outcome.exit_code
        return dict(line.split(maxsplit=1) for line in outcome.output.splitlines() if not line.startswith(" "))

    return show


def test_a_wait_and_an_error_name_commands_rather_than_routes(facts):
    waits = facts(status=JobStatus.QUEUED, waiting_for=waiting_for(Reason.NO_SERVER_FOR_MODEL))["waits"]
    assert waits.endswith("`atelier models` lists those that are available. [no_server_for_model]")
    failed = facts(status=JobStatus.FAILED, error=JobError("unknown_model", "GET /models/v1 lists them."))
    assert "`atelier models` lists them. [unknown_model]" == failed["error"]


def test_the_tenant_has_its_name(facts):
    assert "shop" == facts()["tenant"]
    assert "ten_0123" == facts(msgspec.structs.replace(REQUEST, tenant=None))["tenant"]


@pytest.mark.parametrize(
    ("status", "progress", "stage", "shown"),
    [
        ("cancelled", 0.0, None, None),
        ("cancelled", 0.4, "denoise", "ended at 40%"),
        ("failed", 0.4, None, "ended at 40%"),
        ("processing", 0.4, "denoise", "40% denoise"),
        ("queued", 0.0, None, "0%"),
        ("completed", 1.0, None, "100%"),
    ],
)
def test_progress_of_a_job_that_ended_is_its_end(facts, status, progress, stage, shown):
    assert shown == facts(status=JobStatus(status), progress=progress, stage=stage).get("progress")


def test_an_older_api_leaves_out_what_was_asked_for(facts):
    found = facts(None)
    assert "unknown: this API is older than the command line" == found["prompt"]
    assert "lines with job_1 in the logs of the API, the CPU worker" == found["log"]


def test_a_mistyped_status_is_answered_with_the_nearest():
    outcome = CliRunner().invoke(jobs, ["list", "--status", "complete"])
    assert 2 == outcome.exit_code
    assert "Did you mean 'completed'?" in " ".join(outcome.output.replace("│", " ").split())
