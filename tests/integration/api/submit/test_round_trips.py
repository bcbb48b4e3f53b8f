"""What a submit costs the database: the ordinary one is one statement beside the look-up of the key."""

import re
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import update

from jobs.schema.tables import jobs, tenants
from tests.support.rows.rows import ARTIFACT
from tests.support.rows.statements import executed
from tests.support.wait import until

ROUTE = "/generate/image/v1"
CALL = re.compile(r"SELECT (\w+)_[0-9a-f]{12}\(")


@pytest.fixture
def statements(client):
    """Every statement that the API executes once it is connected, and each beginning of a transaction."""
    assert 200 == client.get("/jobs/v1").status_code
    with executed() as seen:
        yield seen


def kinds(statements):
    """What each of them is: the function that it calls, or its first word."""
    return [found[1] if (found := CALL.match(each)) else each.split()[0] for each in statements]


@pytest.mark.parametrize("fields", [{}, {"model": "chaos"}, {"model": "chaos-edit"}])
@pytest.mark.parametrize("headers", [{}, {"Idempotency-Key": "order 7"}], ids=["without a key", "with a key"])
def test_an_ordinary_submit_is_one_statement(client, server, statements, rows, fields, headers):
    statements.clear()
    accepted = client.post(ROUTE, json={"prompt": "a"} | fields, headers=headers)
    assert 202 == accepted.status_code
    assert ["look", "submit"] == kinds(statements)
    assert [accepted.json()["job_id"]] == [row.id for row in rows.execute(jobs.select())]


def test_a_submit_says_that_no_server_serves_its_model(client, server):
    """Also for a model that needs inputs, which takes a transaction, and to a repeat."""
    image = "https://example.org/a.png"
    for fields in ({"model": "chaos-edit"}, {"model": "chaos-edit", "input_image": image}):
        for _ in range(2):
            answer = client.post(ROUTE, json={"prompt": "a"} | fields, headers={"Idempotency-Key": str(len(fields))})
            assert (202, "no_server_for_model") == (answer.status_code, answer.json()["waiting_for"]["code"])
    assert client.post(ROUTE, json={"prompt": "a", "model": "chaos"}).json()["waiting_for"] is None
    assert client.post(ROUTE, json={"prompt": "a"}).json()["waiting_for"] is None


def test_a_list_says_what_its_jobs_wait_for(client, server, worker, statements):
    running = client.post(ROUTE, json={"prompt": "a"}).json()["job_id"]
    worker.tell(until(lambda: worker.rows.claim(worker.claimant), what="a job"))
    waiting = [
        client.post(ROUTE, json={"prompt": "a"} | fields).json()["job_id"]
        for fields in ({}, {}, {"model": "chaos-edit"})
    ]
    statements.clear()
    jobs = {job["job_id"]: job for job in client.get("/jobs/v1").json()["jobs"]}
    assert len(statements) <= 8
    assert [1, 2, 1] == [jobs[job_id]["queue_position"] for job_id in waiting]
    assert "no_server_for_model" == jobs[waiting[2]]["waiting_for"]["code"]
    assert (None, "processing") == (jobs[running]["queue_position"], jobs[running]["status"])


def test_a_held_submit_reads_its_job_once(client, server, worker, statements):
    statements.clear()
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(client.post, f"{ROUTE}?wait=30", json={"prompt": "a"})
        job = worker.tell(until(lambda: worker.rows.claim(worker.claimant), what="a job"))
        worker.complete(worker.progress(job, 0.5), ARTIFACT)
        assert (200, "completed") == (answer.result(20).status_code, answer.result().json()["status"])
    assert ["look", "submit", "look_again"] == kinds(statements)


@pytest.mark.parametrize(
    ("limits", "status"), [({"budget_usd": 0.0}, 402), ({"max_waiting_jobs": 0}, 429)], ids=["budget", "cap"]
)
def test_a_refused_statement_leaves_the_key_free(client, server, rows, limits, status):
    headers = {"Idempotency-Key": "order 7"}
    rows.execute(update(tenants).values(**limits))
    assert status == client.post(ROUTE, json={"prompt": "a"}, headers=headers).status_code
    rows.execute(update(tenants).values(budget_usd=None, max_waiting_jobs=None))
    other = client.post(ROUTE, json={"prompt": "another"}, headers=headers)
    assert (202, None) == (other.status_code, other.headers.get("Idempotency-Replayed"))


@pytest.mark.parametrize("limits", [{"budget_usd": 0.0}, {"max_waiting_jobs": 1}], ids=["budget", "cap"])
def test_a_repeat_is_answered_though_a_new_job_is_refused(client, server, rows, limits):
    headers = {"Idempotency-Key": "order 7"}
    first = client.post(ROUTE, json={"prompt": "a", "model": "chaos-edit"}, headers=headers)
    rows.execute(update(tenants).values(**limits))
    again = client.post(ROUTE, json={"prompt": "a", "model": "chaos-edit"}, headers=headers)
    assert (202, first.json(), "true") == (again.status_code, again.json(), again.headers["Idempotency-Replayed"])
    assert 1 == len(rows.execute(jobs.select()))
