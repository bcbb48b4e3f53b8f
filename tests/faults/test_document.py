"""Scenarios 24 and 43: a fuzzer and a generator of clients work on the OpenAPI document of a running service."""

import json
import re
import subprocess
from pathlib import Path

import pytest

from tests.support.servers.tool_install import tool
from tests.support.service.service import Service

pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]

FUZZER, GENERATOR = "schemathesis==4.32.5", "openapi-python-client==0.29.1"
UNSAID = {
    *("invalid_request", "missing_field", "out_of_range", "nul_in_text", "forbidden_url", "not_supported_yet"),
    *("idempotency_key_reused", "unknown_input", "unknown_model", "not_supported_by_model", "unsupported_media"),
    *("input_unreadable", "too_many_voices", "too_many_webhooks", "no_model_available"),
}
"""Codes of requests that satisfy the document: a schema does not know hosts, states, other fields or contents."""

WORK = """
import sys
sys.path.insert(0, sys.argv[1])
from client import AuthenticatedClient
from client.api.generate import create_image, get_image_status
from client.api.jobs import list_jobs
from client.models import Accepted, ImageParams, JobStatus, ProblemDetails, StatusAnswer

with AuthenticatedClient(sys.argv[2], sys.argv[3], raise_on_unexpected_status=True, timeout=60) as api:
    waited = create_image.sync_detailed(client=api, body=ImageParams(prompt="a red circle", model="chaos"), wait=30.0)
    assert 200 == waited.status_code and isinstance(waited.parsed, StatusAnswer), waited
    assert JobStatus.COMPLETED == waited.parsed.status and waited.parsed.outputs[0].bytes_ > 0
    made = create_image.sync(client=api, body=ImageParams(prompt="a", model="chaos", seed=7), idempotency_key="k")
    assert isinstance(made, Accepted) and 7 == made.seed
    assert made.job_id == get_image_status.sync(made.job_id, client=api).job_id
    page = list_jobs.sync(client=api, limit=1)
    assert [made.job_id] == [job.job_id for job in page.jobs] and page.next_cursor
    assert [waited.parsed.job_id] == [job.job_id for job in list_jobs.sync(client=api, cursor=page.next_cursor).jobs]
    refused = create_image.sync(client=api, body=ImageParams(prompt="a", num_images=9))
    assert isinstance(refused, ProblemDetails) and "$.num_images" == refused.field, refused
print("done")
"""


@pytest.fixture
def document(stack: Service, tmp_path: Path) -> Path:
    """The document of a service with one GPU worker."""
    stack.environment["ATELIER_WAIT_LIMIT"] = "10"  # the fuzzer asks to be held for a day
    stack.api()
    stack.gpu("one")
    path = tmp_path / "openapi.json"
    path.write_bytes(stack.client.get("/schema/openapi.json").content)
    return path


def test_24_the_service_does_what_its_document_says(stack: Service, document: Path, tmp_path: Path) -> None:
    """Nothing is accepted wrongly but `null` in a query, and nothing answered that is not documented, or with 5xx."""
    report = tmp_path / "report.json"
    phases = ["--phases", "examples,coverage,fuzzing", "--max-examples", "20", "--continue-on-failure"]
    bounds = ["--max-time", "60", "--request-timeout", "20", "--exclude-path-regex", "/events$", "--seed", "43"]
    headers = ["-H", f"X-API-Key: {stack.key}", "--no-color", "--report-json-path", str(report)]
    command = [tool(FUZZER) / "st", "run", document, "--url", stack.url, *headers, *phases, *bounds]
    printed = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path, timeout=400).stdout
    found = json.loads(report.read_bytes())
    assert found["operations"]["tested"] >= 45, printed[-3000:]
    kinds = {failure["type"] for failure in found["failures"]}
    assert {"RejectedPositiveData", "AcceptedNegativeData"} >= kinds, printed[-6000:]
    accepted = re.findall(r"ST201 .*?request accepted\n.*?\n( +curl [^\n]*)", printed, re.DOTALL)
    assert [] == [call for call in accepted if "=null" not in call]  # the framework reads it as left out
    unexpected = set(re.findall(r'"type":"/problems/(\w+)"', printed)) - UNSAID
    assert not unexpected, (unexpected, printed[-6000:])
    assert [] == found["errors"]


def test_43_a_generated_client_compiles_and_works(stack: Service, document: Path, tmp_path: Path) -> None:
    programs = tool(GENERATOR)
    generate = [programs / "openapi-python-client", "generate", "--path", document, "--meta", "none"]
    made = subprocess.run(
        [*generate, "--output-path", tmp_path / "client"], capture_output=True, text=True, check=False, timeout=120
    )
    assert 0 == made.returncode, made.stdout
    assert "WARNING" not in made.stdout, made.stdout
    python = programs / "python"
    subprocess.run([python, "-m", "compileall", "-q", tmp_path / "client"], check=True, timeout=60)
    work = [python, "-c", WORK, tmp_path, stack.url, stack.key]
    done = subprocess.run(work, capture_output=True, text=True, check=False, timeout=120)
    assert (0, "done\n") == (done.returncode, done.stdout), done.stderr
