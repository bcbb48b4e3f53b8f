"""Tool executions through VideoGen's own client: start, info, list, cancel, and one with many results."""

import re

import httpx
import pytest

from jobs.job import JobError
from tests.support.rows.rows import ARTIFACT

PROMPT = "A serene Japanese garden with cherry blossoms at golden hour"


@pytest.fixture
def start(vg, server):
    def call(**fields):
        return vg.tools.generate_image(prompt=PROMPT, **fields)["tool_execution_id"]

    return call


def info(vg, execution):
    return vg.tools.get_tool_execution_info(tool_execution_id=execution)


@pytest.mark.contract("D1")
@pytest.mark.contract("D2")
@pytest.mark.contract("D9")
@pytest.mark.contract("D10")
@pytest.mark.contract("D11")
@pytest.mark.parametrize("base", ["/videogen", ""])
def test_a_tool_answers_202_with_the_execution(api, key, server, base):
    answer = httpx.post(
        f"{api.url}{base}/v1/tools/generate-image",
        json={"prompt": PROMPT, "somethingNew": {"a": 1}},
        headers={"Authorization": f"Bearer {key}"},
    )
    assert 202 == answer.status_code, answer.text
    assert ["toolExecutionId"] == list(answer.json())
    assert re.fullmatch("vg_exec_[0-9a-f]{32}", answer.json()["toolExecutionId"])


@pytest.mark.contract("D23")
def test_info_follows_a_job_to_its_result(vg, start, worker):
    execution = start()
    assert {
        "tool_execution_id": execution,
        "status": "pending",
        "tool_type": "GENERATE_IMAGE",
        "progress_percentage": 0,
        "attempt_index": 0,
        "results": [],
        "error": None,
    } == info(vg, execution)
    job = worker.claim()
    worker.progress(job, 0.5)
    running = info(vg, execution)
    assert ("running", 50, []) == (running["status"], running["progress_percentage"], running["results"])
    worker.complete(job, ARTIFACT)
    ended = info(vg, execution)
    assert ("succeeded", 100, None) == (ended["status"], ended["progress_percentage"], ended["error"])
    (result,) = ended["results"]
    assert ("IMAGE", None) == (result["type"], result["thumbnail_url"])
    assert f"/o/{job.id}/0.webp?signature=" in result["download_url"]


def test_a_failed_job_has_an_error_in_the_shape_of_errors(vg, start, worker, refused):
    execution = start()
    worker.fail(worker.claim(), JobError("gpu_out_of_memory", "The model does not fit."))
    assert {
        "message": "The model does not fit.",
        "code": "tool_failed",
        "requirement": None,
        "internal_error_code": "gpu_out_of_memory",
    } == info(vg, execution)["error"]
    error = refused(vg.poll_executed_tool, tool_execution_id=execution)
    assert ("failed", 0) == (error.body["status"], error.status)


@pytest.mark.contract("D22")
def test_a_cancelled_execution_is_cancelled(vg, start, worker):
    execution = start()
    assert {"tool_execution_id": execution} == vg.tools.cancel_tool_execution(tool_execution_id=execution)
    assert ("cancelled", None) == tuple(info(vg, execution)[name] for name in ("status", "error"))
    assert {"tool_execution_id": execution} == vg.tools.cancel_tool_execution(tool_execution_id=execution)
    assert worker.rows.claim(worker.claimant) is None


@pytest.mark.contract("D7")
def test_many_results_are_one_execution(vg, start, worker):
    execution = start(num_results=11)
    first, second = worker.claim(), worker.claim()
    assert [8, 3] == [first.params["num_images"], second.params["num_images"]]
    assert first.seed != second.seed
    worker.complete(first, *[ARTIFACT] * 8)
    half = info(vg, execution)
    assert ("running", []) == (half["status"], half["results"])
    worker.complete(second, *[ARTIFACT] * 3)
    ended = info(vg, execution)
    assert ("succeeded", 11) == (ended["status"], len(ended["results"]))
    assert [first.id] * 8 + [second.id] * 3 == [
        re.search(r"/o/(job_\w+)/", one["download_url"])[1] for one in ended["results"]
    ]


def test_a_group_ends_with_its_last_job_and_fails_with_any(vg, start, worker):
    execution = start(num_results=16)
    worker.fail(worker.claim(), JobError("pipeline_failed", "It went wrong."))
    assert "running" == info(vg, execution)["status"]
    worker.complete(worker.claim(), *[ARTIFACT] * 8)
    assert ("failed", "It went wrong.") == (info(vg, execution)["status"], info(vg, execution)["error"]["message"])


def test_a_group_is_cancelled_whole(vg, start, worker):
    execution = start(num_results=100)
    vg.tools.cancel_tool_execution(tool_execution_id=execution)
    assert "cancelled" == info(vg, execution)["status"]
    assert worker.rows.claim(worker.claimant) is None


def test_a_group_beyond_the_cap_is_refused_whole(vg, refused, tenant, rows, server):
    from sqlalchemy import update

    from jobs.schema.tables import tenants

    rows.execute(update(tenants).where(tenants.c.id == tenant).values(max_waiting_jobs=5))
    error = refused(vg.tools.generate_image, prompt=PROMPT, num_results=100)
    assert (429, "rate_limited", "too_many_jobs") == (
        error.status,
        error.body["code"],
        error.body["internal_error_code"],
    )
    assert 0 == rows.count_active(tenant)


def test_executions_are_listed_newest_first(client, vg, start, server, stranger_vg):
    ids = [start(), start(num_results=20), start()]
    client.post("/generate/image/v1", json={"prompt": "a native job"})
    listed = vg.tools.list_tool_executions(limit=2)
    assert (ids[:0:-1], True) == ([one["tool_execution_id"] for one in listed["tool_executions"]], listed["has_more"])
    rest = vg.tools.list_tool_executions(limit=2, cursor=listed["next_cursor"], self_only=True)
    assert (ids[:1], False, None) == (
        [one["tool_execution_id"] for one in rest["tool_executions"]],
        rest["has_more"],
        rest["next_cursor"],
    )
    assert [] == stranger_vg.tools.list_tool_executions()["tool_executions"]


def test_what_is_left_of_a_group_goes_by_its_name(vg, client, start, worker):
    execution = start(num_results=20)
    worker.complete(worker.claim(), *[ARTIFACT] * 8)
    assert 204 == client.delete(f"/jobs/v1/{execution.replace('vg_exec', 'job')}").status_code
    for results in (8, 4):
        worker.complete(worker.claim(), *[ARTIFACT] * results)
    (listed,) = vg.tools.list_tool_executions()["tool_executions"]
    assert (execution, "succeeded", 12) == (listed["tool_execution_id"], listed["status"], len(listed["results"]))
    assert listed["status"] == info(vg, execution)["status"]


def test_an_idempotency_key_repeats_a_group(api, key, server, rows, tenant):
    headers = {"Authorization": f"Bearer {key}", "Idempotency-Key": "k-1"}
    answers = {
        httpx.post(
            f"{api.url}/v1/tools/generate-image", json={"prompt": PROMPT, "numResults": 17}, headers=headers
        ).text
        for _ in range(2)
    }
    assert 1 == len(answers)
    assert 3 == rows.count_active(tenant)


def test_ids_of_others_are_unknown_and_others_malformed(vg, stranger_vg, start, refused):
    execution = start()
    unknown = refused(stranger_vg.tools.get_tool_execution_info, tool_execution_id=execution)
    never = refused(vg.tools.get_tool_execution_info, tool_execution_id=f"vg_exec_{'0' * 32}")
    assert (404, "not_found", unknown.body["message"]) == (never.status, never.body["code"], never.body["message"])
    assert unknown.body == never.body
    malformed = refused(vg.tools.get_tool_execution_info, tool_execution_id="vg_file_1")
    assert (400, "invalid_id") == (malformed.status, malformed.body["code"])
    assert 404 == refused(stranger_vg.tools.cancel_tool_execution, tool_execution_id=execution).status
