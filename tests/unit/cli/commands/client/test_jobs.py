"""What `atelier jobs` prints of a job, from scripted answers of the API."""

import re
from datetime import UTC, datetime

import msgspec
import pytest
from click.testing import CliRunner

from cli.commands.client.job_facts import manifest_facts
from cli.commands.client.jobs import jobs
from cli.http.client import Client
from jobs.job import JobBackend, JobError, JobStatus
from jobs.manifests.manifest import Manifest
from jobs.wire.job_request import JobRequest
from jobs.wire.jobs import ListedJob
from jobs.wire.status import StatusAnswer
from jobs.wire.wait_reasons import Reason, waiting_for
from tests.support.service.scripted_api import problem, scripted_api

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

MANIFEST = Manifest(
    job_id="job_1",
    tenant_id="ten_0123",
    modality="image",
    model="chaos",
    revision=None,
    seed=1,
    params=None,
    inputs=[],
    outputs=[],
    warnings=[],
    environment_sha256=None,
    weights=[],
    versions={},
    device=None,
    backend=None,
    server_id="local",
    attempt=1,
    timings={},
    gpu_seconds=0.0,
    load_seconds=0.0,
    jobs_in_run=1,
    created_at=NOW,
    started_at=None,
    finished_at=NOW,
)
NOWHERE = ["--url", "http://127.0.0.1:1", "--key", "k"]


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


@pytest.mark.parametrize(
    ("backend", "shown"),
    [
        (JobBackend("local", "local", "primary"), "local (primary)"),
        (JobBackend("hall-b", "atelier", "waited"), "hall-b (atelier, waited)"),
    ],
)
def test_a_manifest_says_who_made_a_job_and_why(backend, shown):
    facts = manifest_facts(msgspec.structs.replace(MANIFEST, backend=backend))
    assert shown == facts["backend"]
    assert all(isinstance(fact, str | int | float | None) for fact in facts.values())


def test_a_list_says_what_was_asked_for(monkeypatch, tmp_path):
    listed = ListedJob(**msgspec.structs.asdict(JOB), title="a red circle " * 10)
    monkeypatch.setattr(Client, "jobs", lambda self, **_: [listed])
    outcome = CliRunner().invoke(jobs, ["list", *NOWHERE], catch_exceptions=False)
    titles, row = outcome.output.splitlines()
    assert ["job", "status", "title", "modality", "model"] == titles.split()[:5]
    assert re.match(r"job_1 +cancelled +a red circle a red circle a red circle…  image +chaos ", row)
    assert f" {NOW.astimezone():%H:%M:%S %Z}" in row


def test_a_deletion_says_so(monkeypatch):
    monkeypatch.setattr(Client, "delete", lambda self, job_id: None)
    outcome = CliRunner().invoke(jobs, ["delete", "job_1", "job_2", *NOWHERE], catch_exceptions=False)
    assert "job_1 is deleted\njob_2 is deleted\n" == outcome.output


def test_a_refused_job_of_a_file_is_named_by_its_line(monkeypatch, tmp_path):
    file = tmp_path / "jobs.ndjson"
    file.write_text('{"modality": "image"}\n\n{"modality": "image", "width": 1}\n')
    with scripted_api() as api:
        api.add("/jobs/v1", problem("out_of_range", "`width` must be at least 64.", "$.jobs[1].width"), 422)
        words = ["submit", str(file), "--url", api.url, "--key", "k"]
        outcome = CliRunner().invoke(jobs, words, env={"COLUMNS": "400"})
    assert 1 == outcome.exit_code
    assert f"`width` must be at least 64. (line 3 of {file}: width) [out_of_range]" in outcome.output


def test_a_line_that_is_not_an_object_is_named(tmp_path):
    file = tmp_path / "jobs.ndjson"
    file.write_text('{"modality": "image"}\n["image"]\n')
    outcome = CliRunner().invoke(jobs, ["submit", str(file), *NOWHERE], env={"COLUMNS": "400"})
    assert (1, True) == (outcome.exit_code, f"line 2 of {file}: Expected `object`" in outcome.output)


def test_a_mistyped_status_is_answered_with_the_nearest():
    outcome = CliRunner().invoke(jobs, ["list", "--status", "complete"])
    assert 2 == outcome.exit_code
    assert "Did you mean 'completed'?" in " ".join(outcome.output.replace("│", " ").split())
