"""POST /jobs/v1/{job_id}/redrive: a failed job once more, tied to the first."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import func, select, text, update

from jobs.job import JobError
from jobs.schema.tables import inputs, jobs, tenants
from jobs.statements.servers import leave
from tests.support.rows.rows import MODEL
from tests.support.service.api_server import make_key

URL = "https://shop.example/chair.jpg"


@pytest.fixture
def failed(create, worker):
    """A function that makes a job, and has it fail; its id."""

    def failed(**fields):
        job_id = create(**fields)
        worker.fail(worker.claim(), JobError("engine_lost", "The engine ended."))
        return job_id

    return failed


def redrive(client, job_id):
    return client.post(f"/jobs/v1/{job_id}/redrive")


def refused(answer, code, status=409):
    problem = answer.json()
    assert (status, code) == (answer.status_code, problem["code"]), problem


def test_it_is_done_again_and_both_say_so(client, failed, rows):
    first = failed(prompt="a star", width=64, labels={"a": "b"})
    answer = redrive(client, first)
    assert 202 == answer.status_code, answer.text
    again = answer.json()["job_id"]
    one, two = rows.execute(select(jobs).order_by(jobs.c.seq))
    assert (one.params, one.seed, one.labels, one.model) == (two.params, two.seed, two.labels, two.model)
    shown = [client.get(f"/jobs/v1/{job_id}").json() for job_id in (first, again)]
    assert [("failed", again, None), ("queued", None, first)] == [
        (each["status"], each["redriven_as"], each["redrive_of"]) for each in shown
    ]


def test_it_goes_to_a_server_that_writes_prompts_now(client, create, rows):
    """The server of the first has left; the caller named none."""
    gone = rows.server("gone", serves=(MODEL, "chaos-text"))
    rows.server("plain", serves=(MODEL,))
    first = create(prompt="a star", enhance_prompt=True)
    rows.execute(update(jobs).values(status="failed"))
    rows.execute(leave("gone", gone.incarnation))
    refused(redrive(client, first), "no_capable_model", 422)
    rows.server("new", serves=(MODEL, "chaos-text"))

    again = redrive(client, first).json()["job_id"]

    assert ["gone", "new"] == [row.server_id for row in rows.execute(select(jobs).order_by(jobs.c.seq))]
    assert first == client.get(f"/jobs/v1/{again}").json()["redrive_of"]


def test_a_job_is_done_again_once(client, failed, rows):
    first = failed()
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: redrive(client, first), range(4)))
    assert {202} == {answer.status_code for answer in answers}
    assert 1 == len({answer.json()["job_id"] for answer in answers})
    assert 1 == sum("Idempotency-Replayed" not in answer.headers for answer in answers)
    assert 2 == rows.scalar(select(func.count()).select_from(jobs))
    assert 204 == client.delete(f"/jobs/v1/{answers[0].json()['job_id']}").status_code
    refused(redrive(client, first), "job_not_failed")


def test_only_a_failed_job_of_the_caller_is(client, stranger, create, failed, worker):
    refused(redrive(client, create()), "job_not_failed")
    worker.complete(worker.claim())
    first = failed()
    refused(redrive(stranger, first), "unknown_job", 404)
    refused(redrive(client, "job_1"), "malformed_id", 404)


def test_a_key_that_may_only_look_may_not(settings, rows, tenant, failed, api):
    first = failed()
    with api.client(make_key(rows, settings, tenant, scopes=["read"])) as reader:
        assert 403 == redrive(reader, first).status_code


def test_the_budget_of_the_key_that_asks_bounds_it(client, failed, rows):
    first = failed()
    rows.execute(update(jobs).values(price_usd=1))
    rows.execute(update(tenants).values(budget_usd=0.5))
    refused(redrive(client, first), "budget_exhausted", 402)
    assert rows.scalar(select(jobs.c.redriven_as)) is None


def test_what_was_removed_is_not_done_again(client, all_models, create, failed, rows):
    scrubbed = failed()
    rows.execute(text("UPDATE jobs SET params = '{}'"))
    refused(redrive(client, scrubbed), "prompt_forgotten")
    emptied = create(input_image=URL, model="chaos-edit")
    rows.execute(update(jobs).where(jobs.c.id == emptied).values(status="failed"))
    rows.execute(inputs.delete())
    refused(redrive(client, emptied), "inputs_forgotten")


def test_a_file_that_is_fetched_again_keeps_its_rules(client, all_models, create, rows):
    """Of a clean copy nothing is asked any more; of the caller's own file, all that was asked the first time."""
    first = create(input_image=URL, model="chaos-edit")
    rows.execute(update(inputs).values(frame="last", min_side=64, max_seconds=9))
    rows.execute(update(jobs).values(status="failed"))
    again = redrive(client, first).json()["job_id"]
    (row,) = rows.execute(select(inputs).where(inputs.c.job_id == again))
    assert (URL, "last", 64, 9.0) == (row.url, row.frame, row.min_side, row.max_seconds)
    rows.execute(update(inputs).where(inputs.c.job_id == again).values(status="ready", key="ten/clean"))
    rows.execute(update(jobs).where(jobs.c.id == again).values(status="failed"))
    third = redrive(client, again).json()["job_id"]
    (row,) = rows.execute(select(inputs).where(inputs.c.job_id == third))
    assert (None, "ten/clean", None, 0, None) == (row.url, row.source_key, row.frame, row.min_side, row.max_seconds)
